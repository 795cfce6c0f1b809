// @ts-check
/**
 * Evidence: the quotes of an answer, each with its status and place, which opens its source; and the checks of the answer.
 * In: the evidence and the checks of a result, and the context of the run.
 */

import { html, useState } from "/vendor/preact.mjs";
import { count, plural } from "./format.js";
import { placeOf, STATUSES } from "./quote_words.js";
import { SourceViewer } from "./source_viewer.js";

/** @typedef {import("/rlm/rlm.js").RLMEvidence} RLMEvidence */

const MOST_NUMBERS = 20;
const MARK = /\[(\d{1,3})\]/;

/**
 * Marks such as [2] in an answer as links to the evidence below it; in code they are code.
 *
 * @param {DocumentFragment} answer
 * @param {RLMEvidence[]} evidence
 */
export function withMarks(answer, evidence) {
  const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const texts = [];
  while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
  for (const text of texts) {
    const parts = text.data.split(MARK);
    if (parts.length === 1 || text.parentElement?.closest("code, a, .math")) continue;
    text.replaceWith(...parts.map((part, index) => (index % 2 === 1 ? markFor(part, evidence) : part)));
  }
  return answer;
}

/** @param {string} number @param {RLMEvidence[]} evidence */
function markFor(number, evidence) {
  const item = evidence[Number(number) - 1];
  if (item === undefined) return `[${number}]`;
  const link = document.createElement("a");
  link.href = `#evidence-${number}`;
  link.className = `evidence-link is-${item.status}`;
  link.textContent = `[${number}]`;
  link.title = STATUSES[item.status].words;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    openItem(number);
  });
  return link;
}

/** Show a quote with its source, if it is not shown already. @param {string} number */
function openItem(number) {
  const item = document.getElementById(`evidence-${number}`);
  const button = item?.querySelector("button");
  if (button?.getAttribute("aria-expanded") === "false") button.click();
  item?.scrollIntoView({ block: "center" });
  (button ?? item)?.focus();
}

/**
 * What nothing bears out: an answer without a quote, and numbers that nobody computed.
 *
 * @param {{result: import("/rlm/rlm.js").RLMResult}} props
 */
export function Checks({ result: { answer, evidence, checks } }) {
  const numbers = [...new Set(checks.numbers.map(({ text }) => text))];
  const isBare = answer !== "" && !checks.supported;
  if (!isBare && numbers.length === 0) return null;
  const why = evidence.length === 0 ? "it came without a quote of the context" : "none of its quotes is in the context";
  const shown = numbers.slice(0, MOST_NUMBERS);
  return html`<div class="checks muted" id="checks">
    ${isBare && html`<p id="unsupported">Unsupported: ${why}.</p>`}
    ${
      numbers.length > 0 &&
      html`<p id="loose-numbers">In no output, sub-reply or quote: ${shown.map(
        (text, index) => html`${index > 0 && ", "}<strong>${text}</strong>`,
      )}${numbers.length > shown.length && ` and ${count(numbers.length - shown.length)} more`}.</p>`
    }
  </div>`;
}

/** @param {{evidence: RLMEvidence[], run: import("./types/run.js").RunView}} props */
export function EvidenceList({ evidence, run }) {
  if (evidence.length === 0) return null;
  const missing = evidence.filter(({ status }) => status === "missing").length;
  const summary = missing === 0 ? "" : `, ${count(missing)} not in the context`;
  return html`<section class="evidence" id="evidence" aria-label="Evidence">
    <h3>Evidence <span class="muted">${plural(evidence.length, "quote")}${summary}</span></h3>
    <ol>${evidence.map((item, index) => html`<${Item} key=${index} item=${item} number=${index + 1} run=${run} />`)}</ol>
  </section>`;
}

/** @param {{item: RLMEvidence, number: number, run: import("./types/run.js").RunView}} props */
function Item({ item, number, run }) {
  const [isOpen, setOpen] = useState(false);
  const { mark, words } = STATUSES[item.status];
  const place = placeOf(item);
  const by = item.checkedBy === "host" ? "checked on this page" : "checked in the worker";
  return html`<li id="evidence-${number}" class="is-${item.status}" tabindex="-1">
    <p><span class="evidence-mark" aria-hidden="true">${mark}</span> <q>${item.quote}</q></p>
    <p class="muted">${words}${item.difference && item.status !== "missing" ? `: ${item.difference}` : ""}; ${by}
      ${
        item.start !== null &&
        html` <button type="button" class="small" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}
        aria-label="Evidence ${number}: ${place}">${place}</button>`
      }
    </p>
    ${isOpen && html`<${SourceViewer} item=${item} run=${run} />`}
  </li>`;
}
