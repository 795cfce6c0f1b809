// @ts-check
/**
 * The bar over a run's iterations: open or fold all, step through them, and search in code and output. In: the run. Out:
 * changes of its `Reading`. Keys hold while the focus is in the timeline: J or N the next, K or P the one before.
 */

import { html, useEffect } from "/vendor/preact.mjs";
import { fieldValue } from "./fields.js";
import { count } from "./format.js";
import { mark } from "./marks.js";
import { choose, chooseAll, occurrences, positionOf, readingOf, reveal, stepped } from "./reading.js";
import { changed } from "./state.js";

/** @typedef {import("./types/run.js").RunView} RunView */

const FEW = 2;

/** @param {{run: RunView}} props */
export function ReadingBar({ run }) {
  const reading = readingOf(run);
  const found = occurrences(run.iterations, reading.words);
  const total = found.reduce((sum, { times }) => sum + times, 0);
  const current = total === 0 ? null : positionOf(found, Math.min(reading.found, total - 1));
  // at each drawing while words are sought: their places may be new elements
  useEffect(() => void mark(reading.words, current), [reading.words === "" ? "" : {}]);
  useEffect(() => () => void mark("", null), [run]);
  if (run.iterations.length < FEW) return null;
  /** @param {number} step */
  const seek = (step) => {
    if (total === 0) return;
    reading.found = (reading.found + step + total) % total;
    const position = positionOf(found, reading.found);
    if (position !== null) show(run, reading.words, position);
  };
  const all = (/** @type {boolean} */ isOpen) => {
    chooseAll(run, isOpen);
    changed();
  };
  const write = (/** @type {Event} */ event) => {
    Object.assign(reading, { words: fieldValue(event), found: 0 });
    changed();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && !(event.key === "Escape" && reading.words !== "")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") return seek(event.shiftKey ? -1 : reading.at === null && reading.found === 0 ? 0 : 1);
    reading.words = "";
    changed();
  };
  return html`<div class="reading-bar" role="group" aria-label="Read the run">
    <span class="row"><button type="button" class="quiet small" id="open-all" onClick=${() => all(true)}>Open all</button>
    <button type="button" class="quiet small" id="fold-all" onClick=${() => all(false)}>Fold all</button></span>
    <span class="row"><button type="button" class="small" id="previous-iteration" aria-keyshortcuts="k" onClick=${() => jump(run, -1)}>↑ Previous <kbd class="of-keys">K</kbd></button>
    <button type="button" class="small" id="next-iteration" aria-keyshortcuts="j" onClick=${() => jump(run, 1)}>↓ Next <kbd class="of-keys">J</kbd></button></span>
    <span class="row search-run"><label class="visually-hidden" for="search-run">Search in code and output</label>
    <input type="search" id="search-run" placeholder="Search in code and output" value=${reading.words} onInput=${write} onKeyDown=${onKeyDown} />
    ${
      reading.words !== "" &&
      html`<span class="muted" role="status" id="search-found">${total === 0 ? "not found" : `${count(Math.min(reading.found, total - 1) + 1)} of ${count(total)}`}</span>
      <button type="button" class="small" aria-label="Previous match" disabled=${total === 0} onClick=${() => seek(-1)}>↑</button>
      <button type="button" class="small" aria-label="Next match" disabled=${total === 0} onClick=${() => seek(1)}>↓</button>`
    }</span>
  </div>`;
}

/** Keys of the timeline, where they are no text. @param {RunView} run @param {KeyboardEvent} event */
export function onReadingKey(run, event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (target instanceof HTMLElement && target.closest("input, textarea, select") !== null) return;
  const step = key === "j" || key === "n" ? 1 : key === "k" || key === "p" ? -1 : null;
  if (step === null) return;
  event.preventDefault();
  jump(run, step);
}

/** To the iteration after or before the one that has the focus, or that was jumped to. @param {RunView} run @param {1 | -1} step */
function jump(run, step) {
  const focused = document.activeElement?.closest(".timeline > [id^='iteration-']")?.id.slice("iteration-".length);
  const next = stepped(run.iterations, focused === undefined ? readingOf(run).at : Number(focused), step);
  if (next === null) return;
  reveal(run, next);
  changed();
  afterDrawing(() => {
    const item = document.getElementById(`iteration-${next}`);
    item?.scrollIntoView({ block: "start" });
    item?.querySelector("button")?.focus({ preventScroll: true });
  });
}

/**
 * Open the iteration of a match, and bring the match into view; a text that is cut is shown whole for it.
 * @param {RunView} run
 * @param {string} words
 * @param {{iteration: number, within: number}} position
 */
function show(run, words, position) {
  reveal(run, position.iteration);
  choose(readingOf(run), position.iteration, true);
  changed();
  afterDrawing(() => {
    const item = document.getElementById(`iteration-${position.iteration}`);
    const range = mark(words, position);
    if (range !== null) return intoView(range);
    const more = item?.querySelectorAll(".long-text > button[aria-expanded='false']") ?? [];
    for (const button of /** @type {Iterable<HTMLElement>} */ (more)) button.click();
    item?.scrollIntoView({ block: "start" });
    afterDrawing(() => {
      const found = mark(words, position);
      if (found !== null) intoView(found);
    });
  });
}

/** @param {Range} range */
function intoView(range) {
  range.startContainer.parentElement?.scrollIntoView({ block: "nearest" });
  const { top, bottom } = range.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) scrollBy(0, top - innerHeight / 2);
}

/** @param {() => void} work once the change is drawn */
function afterDrawing(work) {
  setTimeout(() => requestAnimationFrame(work), 120); // a run is drawn ten times a second at most
}
