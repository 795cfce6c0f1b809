// @ts-check
/**
 * A report as one HTML file. In: runs that ended. Out: markup without a script that loads nothing: the answer, its quotes
 * with their places, and the iterations folded, with what they displayed. All text of models is escaped here but the
 * answer's Markdown, which is made as on the page.
 */

import { displayedItems } from "/rlm/wire/displayed_items.js";
import { withMarks } from "./evidence.js";
import { count, duration, plural } from "./format.js";
import { MOST_MARKDOWN_CHARS, markdownNodes } from "./markdown.js";
import { checkLines, displaysOf, factsOf, noAnswer } from "./report_facts.js";
import { placeOf, STATUSES } from "./quote_words.js";
import { openRows } from "./table_rows.js";

/** @typedef {import("./report_facts.js").EndedRun} EndedRun */
/** @typedef {import("/rlm/wire/displayed_items.js").DisplayedItem} DisplayedItem */
/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./types/run.js").CallView} CallView */

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
const MOST_OUTPUT_CHARS = 20_000;
const MOST_CALL_CHARS = 4_000;
const MOST_CALLS = 100;
export const MOST_TABLE_ROWS = 200;

/** @param {readonly EndedRun[]} runs @param {string} style */
export function htmlOf(runs, style) {
  const title = escaped((runs.at(-1)?.question ?? "").slice(0, 200));
  const body = runs.map((run, at) => runOf(run, runs.length === 1 ? "" : `-${at + 1}`)).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<title>${title}</title><style>
${style}</style></head><body><main>
${body}
<footer><p>Made by pyodide-rlm from the log of the run. This file holds no script and loads nothing.</p></footer>
</main></body></html>
`;
}

/** @param {EndedRun} run @param {string} suffix of ids, where the file holds several runs */
function runOf(run, suffix) {
  const { result } = run;
  const isFinal = result.stoppedBy === "final_answer";
  return `<article><h1>${escaped(run.question)}</h1>
${isFinal ? "" : `<p class="note">${escaped(noAnswer(result))}</p>`}
<section class="answer" aria-label="${isFinal ? "Answer" : "Partial answer"}">${answerOf(run, suffix)}</section>
${figuresOf(displaysOf(run))}
${checkLines(result).map((line) => `<p class="muted">${escaped(line)}</p>`).join("\n")}
${evidenceOf(run, suffix)}
<h2>Run</h2>
<dl>${factsOf(run).map(([name, text]) => `<dt>${escaped(name)}</dt><dd>${escaped(text)}</dd>`).join("\n")}</dl>
${run.iterations.length > 0 ? `<h2>Iterations</h2>\n${run.iterations.map(iterationOf).join("\n")}` : ""}
</article>`; // biome-ignore format: one part a line
}

/** @param {EndedRun} run @param {string} suffix */
function answerOf({ result: { answer, evidence } }, suffix) {
  if (answer.trim() === "") return "<p>(no answer)</p>";
  if (answer.length > MOST_MARKDOWN_CHARS) return pre(answer, answer.length);
  const nodes = withMarks(markdownNodes(answer), evidence);
  for (const link of nodes.querySelectorAll("a.evidence-link"))
    link.setAttribute("href", `${link.getAttribute("href")}${suffix}`);
  const box = document.createElement("div");
  box.append(nodes);
  return box.innerHTML;
}

/** @param {EndedRun} run @param {string} suffix */
function evidenceOf({ result: { evidence } }, suffix) {
  if (evidence.length === 0) return "";
  const items = evidence.map((item, at) => {
    const { mark, words } = STATUSES[item.status];
    const how = item.difference && item.status !== "missing" ? `${words}: ${item.difference}` : words;
    return `<li id="evidence-${at + 1}${suffix}"><span aria-hidden="true">${mark}</span> <q>${escaped(item.quote)}</q>
<p class="muted">${escaped(item.start === null ? how : `${placeOf(item)}; ${how}`)}</p></li>`;
  });
  return `<h2>Evidence</h2>\n<ol class="evidence">${items.join("\n")}</ol>`;
}

/** @param {IterationView} iteration */
function iterationOf({ iteration, reply, blocks, seconds }) {
  const time = seconds === null ? "" : `, ${duration(seconds)}`;
  return `<details><summary>Iteration ${count(iteration)} <span class="muted">${plural(blocks.length, "block")}${time}</span></summary>
${pre(reply ?? "", MOST_OUTPUT_CHARS, "reply")}
${blocks.map(blockOf).join("\n")}</details>`;
}

/** @param {BlockView} block */
function blockOf({ observation, subCalls }) {
  const calls = subCalls.calls.length > 0 ? callsOf(subCalls.calls) : "";
  if (observation === null) return `${calls}<p class="muted">The block did not end.</p>`;
  const { stdout, value, error, shown } = observation;
  const texts = [stdout, value, error].filter((text) => typeof text === "string" && text !== "").map(String);
  const output = texts.map((text) => pre(text, MOST_OUTPUT_CHARS)).join("\n");
  return `${calls}<h3>Output</h3>\n${output || '<p class="muted">Nothing was printed.</p>'}${shown ? shownOf(shown) : ""}`;
}

/** @param {readonly CallView[]} calls */
function callsOf(calls) {
  const rows = calls.slice(0, MOST_CALLS).map(({ prompt, reply, error }) => {
    const said = error ? `<p class="note">${escaped(error)}</p>` : pre(reply, MOST_CALL_CHARS);
    return `<li>${pre(prompt, MOST_CALL_CHARS)}${said}</li>`;
  });
  const more =
    calls.length > MOST_CALLS ? `<p class="muted">${count(calls.length - MOST_CALLS)} more are in the log.</p>` : "";
  return `<details><summary>${plural(calls.length, "sub-call")}</summary><ol>${rows.join("\n")}</ol>${more}</details>`;
}

/** Displayed values. @param {string} json */
function shownOf(json) {
  return figuresOf(displayedItems(json).items);
}

/** @param {readonly DisplayedItem[]} items */
function figuresOf(items) {
  return items.map((item) => `<figure>${caption(item)}${itemOf(item)}</figure>`).join("\n"); // biome-ignore format: one line
}

/** @param {DisplayedItem} item */
function caption({ title }) {
  return title === "" ? "" : `<figcaption>${escaped(title)}</figcaption>`;
}

/** @param {DisplayedItem} item */
function itemOf(item) {
  if (item.kind === "image")
    return `<img alt="${escaped(item.title || "Picture that the code displayed")}" src="data:${item.type};base64,${item.data}">`;
  if (item.kind === "table") return tableOf(item);
  if (item.kind === "json" || item.text.length > MOST_MARKDOWN_CHARS) return pre(item.text, MOST_OUTPUT_CHARS);
  const box = document.createElement("div");
  box.append(markdownNodes(item.text));
  return box.innerHTML;
}

/** The first rows of a displayed table. @param {import("/rlm/wire/displayed_items.js").DisplayedTable} item */
export function tableOf(item) {
  const rows = openRows(item);
  const shown = Math.min(rows.size, MOST_TABLE_ROWS);
  const cells = (/** @type {readonly string[]} */ texts, /** @type {"th" | "td"} */ tag) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join("");
  const body = Array.from({ length: shown }, (_, at) => `<tr>${cells(rows.cells(at), "td")}</tr>`).join("\n");
  const left = item.of > shown ? `<p class="muted">The first ${count(shown)} of ${plural(item.of, "row")}.</p>` : "";
  return `<div class="table" tabindex="0" role="region" aria-label="Table"><table><thead><tr>${cells(item.columns, "th")}</tr></thead><tbody>${body}</tbody></table></div>${left}`;
}

/** @param {string} text @param {number} most characters @param {string} [name] of its class */
function pre(text, most, name = "output") {
  const left = text.length > most ? `\n… ${plural(text.length - most, "more character")} in the log` : "";
  return `<pre class="${name}">${escaped(text.slice(0, most))}${left}</pre>`;
}

/** @param {string} text */
export function escaped(text) {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
