// @ts-check
/**
 * The calls of one block, of models or of tools: their states in one line, and the calls themselves on request. In: a
 * `CallGroup`.
 */

import { html, useState } from "/vendor/preact.mjs";
import { count, duration } from "./format.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";
import { Reasoning } from "./reasoning.js";
import { Folded, Paged } from "./strip.js";
import { callStates } from "./work.js";

/** @typedef {import("./types/run.js").CallGroup} CallGroup */
/** @typedef {import("./types/run.js").CallView} CallView */

/** @param {{group: CallGroup, noun: "sub-call" | "tool call", isLive: boolean}} props */
export function Calls({ group, noun, isLive }) {
  const list = () => html`<${CallList} group=${group} />`;
  const kind = noun === "sub-call" ? "of-models" : "of-tools";
  return html`<${Folded} noun=${noun} states=${callStates(group)} isLive=${isLive} class=${kind} list=${list} />`;
}

/** @param {{group: CallGroup}} props */
function CallList({ group }) {
  const [onlyFailed, setOnlyFailed] = useState(false);
  const failed = group.calls.filter((call) => call.state === "failed");
  const row = (/** @type {CallView} */ call, /** @type {number} */ at) =>
    html`<${Call} key=${call.call} call=${call} number=${at + 1} />`;
  return html`<div class="call-list">
    ${
      failed.length > 0 &&
      failed.length < group.calls.length &&
      html`<label class="check"><input type="checkbox" checked=${onlyFailed}
      onChange=${() => setOnlyFailed(!onlyFailed)} /> only the ${count(failed.length)} that failed</label>`
    }
    <${Paged} items=${onlyFailed ? failed : group.calls} row=${row} />
  </div>`;
}

/** @param {{call: CallView, number: number}} props */
function Call({ call, number }) {
  const [isOpen, setOpen] = useState(false);
  const isTool = call.kind === "tool";
  const outcome = call.error || call.reply;
  const gist = isTool ? `${call.prompt} → ${outcome}` : outcome || call.prompt;
  return html`<li class="call ${call.state}">
    <button type="button" class="call-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="call-number">${count(number)}</span>
      <span class="call-gist">${gist.slice(0, 200)}</span>
      <span class="call-state">${call.state === "done" && !isTool ? duration(call.seconds) : call.state}</span>
    </button>
    ${
      isOpen &&
      html`<div class="call-body">
      <p class="label">${isTool ? "Call" : "Prompt"}${call.model && `, to ${call.model}`}</p>
      <${LongText} text=${whole(call.prompt)} class="output" label="Prompt" />
      <${Reasoning} text=${call.reasoning} isLive=${false} />
      ${
        outcome &&
        html`<p class="label">${outcomeName(call)}</p>
        <${LongText} text=${whole(outcome)} class="output ${call.state === "failed" ? "error" : ""}"
          label=${outcomeName(call)} />`
      }
    </div>`
    }
  </li>`;
}

/** @param {CallView} call */
function outcomeName({ state, kind }) {
  if (state === "failed") return "Error";
  if (state === "denied") return "Why it did not leave";
  return kind === "tool" ? "Result" : "Reply";
}
