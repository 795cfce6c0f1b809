// @ts-check
/**
 * The sub-calls of one block: a strip that tells the state of up to thousands, and the calls themselves on request.
 *
 * In: a `CallGroup`. Out: at most `MOST_CELLS` cells, and lists that grow by `PAGE` calls. A cell that stands for
 * several calls shows the state that needs most attention.
 */

import { html, useState } from "/vendor/preact.mjs";
import { count, duration, plural } from "./format.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";
import { callStates } from "./run.js";

/** @typedef {import("./types/run.js").CallGroup} CallGroup */
/** @typedef {import("./types/run.js").CallView} CallView */
/** @typedef {import("./types/run.js").CallState} CallState */

const MOST_CELLS = 100;
const PAGE = 20;
/** @type {readonly CallState[]} most urgent first */
const URGENCY = ["failed", "running", "waiting", "done"];

/** @param {{group: CallGroup, isLive: boolean}} props */
export function SubCalls({ group, isLive }) {
  const [isOpen, setOpen] = useState(false);
  const summary = summarise(group, isLive);
  return html`<div class="sub-calls">
    <button type="button" class="sub-calls-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="sub-calls-summary">${summary}</span>
      <span class="strip" aria-hidden="true">${cells(group).map((state) => html`<i class=${state}></i>`)}</span>
    </button>
    ${isOpen && html`<${CallList} group=${group} />`}
  </div>`;
}

/** @param {{group: CallGroup}} props */
function CallList({ group }) {
  const [shown, setShown] = useState(PAGE);
  const [onlyFailed, setOnlyFailed] = useState(false);
  const failed = group.calls.filter((call) => call.state === "failed");
  const calls = onlyFailed ? failed : group.calls;
  return html`<div class="call-list">
    ${failed.length > 0 && failed.length < group.calls.length &&
    html`<label class="check"><input type="checkbox" checked=${onlyFailed}
      onChange=${() => setOnlyFailed(!onlyFailed)} /> only the ${count(failed.length)} that failed</label>`}
    <ul>
      ${calls.slice(0, shown).map((call, at) => html`<${Call} key=${call.call} call=${call} number=${at + 1} />`)}
    </ul>
    ${calls.length > shown &&
    html`<button type="button" class="quiet small" onClick=${() => setShown(shown + PAGE)}>
      Show ${Math.min(PAGE, calls.length - shown)} more of ${count(calls.length)}</button>`}
  </div>`;
}

/** @param {{call: CallView, number: number}} props */
function Call({ call, number }) {
  const [isOpen, setOpen] = useState(false);
  const outcome = call.state === "failed" ? call.error : call.reply;
  return html`<li class="call ${call.state}">
    <button type="button" class="call-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="call-number">${count(number)}</span>
      <span class="call-gist">${(outcome || call.prompt).slice(0, 200)}</span>
      <span class="call-state">${call.state === "done" ? duration(call.seconds) : call.state}</span>
    </button>
    ${isOpen &&
    html`<div class="call-body">
      <p class="label">Prompt${call.model && `, to ${call.model}`}</p>
      <${LongText} text=${whole(call.prompt)} class="output" label="Prompt" />
      ${outcome && html`<p class="label">${call.state === "failed" ? "Error" : "Reply"}</p>
        <${LongText} text=${whole(outcome)} class="output ${call.state === "failed" ? "error" : ""}" label="Reply" />`}
    </div>`}
  </li>`;
}

/** @param {CallGroup} group @param {boolean} isLive */
function summarise(group, isLive) {
  const states = callStates(group);
  const total = Math.max(group.expected, group.calls.length);
  const parts = [
    isLive ? `${count(states.done)} of ${plural(total, "sub-call")} done` : plural(total, "sub-call"),
    states.running > 0 && `${count(states.running)} ${isLive ? "running" : "not answered"}`,
    states.waiting > 0 && `${count(states.waiting)} ${isLive ? "waiting" : "not sent"}`,
    states.failed > 0 && `${count(states.failed)} failed`,
  ];
  return parts.filter(Boolean).join(" · ");
}

/** @param {CallGroup} group @returns {CallState[]} */
function cells(group) {
  const total = Math.max(group.expected, group.calls.length);
  const size = Math.max(1, Math.ceil(total / MOST_CELLS));
  return Array.from({ length: Math.ceil(total / size) }, (_, index) => {
    const states = group.calls.slice(index * size, (index + 1) * size).map((call) => call.state);
    if (states.length === 0) return "waiting";
    return URGENCY.find((state) => states.includes(state)) ?? "waiting";
  });
}
