// @ts-check
/**
 * Many things of one kind in one line: a strip that tells the state of up to thousands, and the things themselves on
 * request, a page at a time.
 *
 * In: a state for each. Out: at most `MOST_CELLS` cells, and lists that grow by `PAGE`. A cell that stands for several
 * things shows the state that needs most attention.
 */

import { html, useLayoutEffect, useRef, useState } from "/vendor/preact.mjs";
import { count, plural } from "./format.js";

/** @typedef {import("./types/run.js").CallState} CallState */

const MOST_CELLS = 100;
const PAGE = 20;
/** @type {readonly CallState[]} most urgent first */
const URGENCY = ["failed", "denied", "stopped", "running", "waiting", "done"];

/**
 * @param {{noun: string, states: readonly CallState[], isLive: boolean, class: string, list: () => unknown}} props
 *   `noun` in the singular; `list` draws the things on request
 */
export function Folded({ noun, states, isLive, class: className, list }) {
  const [isOpen, setOpen] = useState(false);
  return html`<div class="sub-calls ${className}">
    <button type="button" class="sub-calls-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="sub-calls-summary">${summary(noun, states, isLive)}</span>
      <span class="strip" aria-hidden="true">${cells(states).map((state) => html`<i class=${state}></i>`)}</span>
    </button>
    ${isOpen && list()}
  </div>`;
}

/**
 * The first of `items`, and a button for more, which takes the focus to the first of them.
 *
 * @template T
 * @param {{items: readonly T[], row: (item: T, at: number) => unknown}} props
 */
export function Paged({ items, row }) {
  const [shown, setShown] = useState(PAGE);
  const list = useRef(/** @type {HTMLUListElement | null} */ (null));
  useLayoutEffect(() => {
    if (shown > PAGE) list.current?.children[shown - PAGE]?.querySelector("button")?.focus();
  }, [shown]);
  return html`<ul ref=${list}>${items.slice(0, shown).map(row)}</ul>
    ${
      items.length > shown &&
      html`<button type="button" class="quiet small" onClick=${() => setShown(shown + PAGE)}>
      Show ${Math.min(PAGE, items.length - shown)} more of ${count(items.length)}</button>`
    }`;
}

/** @param {string} noun @param {readonly CallState[]} states @param {boolean} isLive */
function summary(noun, states, isLive) {
  const many = { waiting: 0, running: 0, done: 0, failed: 0, denied: 0, stopped: 0 };
  for (const state of states) many[state] += 1;
  const total = plural(states.length, noun);
  const parts = [
    isLive ? `${count(many.done)} of ${total} done` : total,
    many.running > 0 && `${count(many.running)} ${isLive ? "running" : "not answered"}`,
    many.waiting > 0 && `${count(many.waiting)} ${isLive ? "waiting" : "not sent"}`,
    many.failed > 0 && `${count(many.failed)} failed`,
    many.denied > 0 && `${count(many.denied)} denied`,
    many.stopped > 0 && `${count(many.stopped)} stopped`,
  ];
  return parts.filter(Boolean).join(" · ");
}

/** @param {readonly CallState[]} states @returns {CallState[]} */
function cells(states) {
  const size = Math.max(1, Math.ceil(states.length / MOST_CELLS));
  return Array.from({ length: Math.ceil(states.length / size) }, (_, index) => {
    const those = states.slice(index * size, (index + 1) * size);
    return URGENCY.find((state) => those.includes(state)) ?? "waiting";
  });
}
