// @ts-check
/**
 * One code block of an iteration: its code, output, value or error, and requests: sub-calls,
 * tool calls and child runs. In: a `BlockView`.
 */

import { html } from "/vendor/preact.mjs";
import { ChildRuns } from "./child_runs.js";
import { pythonNodes } from "./code.js";
import { Displayed } from "./displayed.js";
import { count, duration } from "./format.js";
import { LongText } from "./long_text.js";
import { Nodes } from "./nodes.js";
import { whole } from "./printed.js";
import { Calls } from "./subcalls.js";

/** @typedef {import("./types/run.js").BlockView} BlockView */

/** @param {{block: BlockView, isLive: boolean}} props */
export function Block({ block, isLive }) {
  const { observation, printed, subCalls, toolCalls, children } = block;
  const isRunning = isLive && observation === null;
  return html`<div class="block ${isRunning ? "is-running" : ""} ${observation?.error ? "has-error" : ""}">
    <${Nodes} tag="pre" class="code" text=${block.code} make=${pythonNodes} />
    <p class="block-facts">${blockState(block, isRunning)}</p>
    ${subCalls.calls.length > 0 && html`<${Calls} group=${subCalls} noun="sub-call" isLive=${isRunning} />`}
    ${toolCalls.calls.length > 0 && html`<${Calls} group=${toolCalls} noun="tool call" isLive=${isRunning} />`}
    ${children.length > 0 && html`<${ChildRuns} runs=${children} isLive=${isRunning} />`}
    ${printed.chars > 0 && html`<${LongText} text=${printed.kept()} class="output" label="Output" />`}
    ${observation?.shown && html`<${Displayed} json=${observation.shown} />`}
    ${observation?.value && html`<${LongText} text=${whole(observation.value)} class="output value" label="Value" />`}
    ${observation?.error && html`<${LongText} text=${whole(observation.error)} class="output error" label="Error" />`}
  </div>`;
}

/**
 * Code of a reply that no block ran: it comes later, or an answer came first.
 *
 * @param {{code: string, isLive: boolean}} props
 */
export function UnrunCode({ code, isLive }) {
  return html`<div class="block is-unrun">
    <${Nodes} tag="pre" class="code" text=${code} make=${pythonNodes} />
    <p class="block-facts">${isLive ? "not run yet" : "not run"}</p>
  </div>`;
}

/**
 * Code that the model is writing; without colours, which would be made anew with each piece.
 *
 * @param {{code: string, isLive: boolean}} props
 */
export function OpenCode({ code, isLive }) {
  return html`<div class="block is-unrun">
    <pre class="code">${code}</pre>
    <p class="block-facts">${isLive ? "being written …" : "not written to its end"}</p>
  </div>`;
}

/** @param {BlockView} block @param {boolean} isRunning */
function blockState({ observation, printed }, isRunning) {
  if (!observation) return isRunning ? "running …" : "stopped before it ended";
  const ending = observation.error ? "error after" : "ran";
  const size = printed.chars > 0 ? `, printed ${count(printed.chars)} characters` : ", printed nothing";
  return `${ending} ${duration(observation.seconds)}${size}`;
}
