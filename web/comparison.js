// @ts-check
/**
 * Comparison of two earlier runs: their facts, their answers and the place where they part. In: two kept runs, whose logs
 * are read when both are chosen. Out: a table of two columns.
 */

import { readLog } from "/rlm/log/journal.js";
import { html, useEffect, useState } from "/vendor/preact.mjs";
import { activityOf } from "./activity.js";
import { ProblemNotice } from "./errors.js";
import { count, duration } from "./format.js";
import { LongText } from "./long_text.js";
import { partingOf } from "./parting.js";
import { whole } from "./printed.js";
import { wholeRun } from "./recorded.js";
import { cost } from "./usage.js";

/** @typedef {import("/rlm/log/journal.js").EndedRun} EndedRun */
/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {{kept: EndedRun, run: RunView}} Side */

/** @param {{runs: readonly EndedRun[], titleOf: (run: EndedRun) => string, onClose: () => void}} props two of them */
export function Comparison({ runs, titleOf, onClose }) {
  const [sides, setSides] = useState(/** @type {Side[] | Error | null} */ (null));
  useEffect(() => {
    setSides(null);
    let isCurrent = true;
    const show = (/** @type {Side[] | Error} */ read) => isCurrent && setSides(read);
    void sidesOf(runs).then(show, show);
    return () => {
      isCurrent = false;
    };
  }, [runs.map(({ name }) => name).join()]);
  return html`<section class="comparison" id="comparison" aria-labelledby="comparison-title">
    <h3 id="comparison-title" tabindex="-1">Two runs beside each other</h3>
    ${
      sides === null
        ? html`<p class="muted">Reading their logs …</p>`
        : sides instanceof Error
          ? html`<${ProblemNotice} problem=${unreadable(sides)} id="comparison-problem" />`
          : html`<${Sides} sides=${sides} titleOf=${titleOf} />`
    }
    <p><button type="button" class="quiet small" id="comparison-close" onClick=${onClose}>Close the comparison</button></p>
  </section>`;
}

/** @param {readonly EndedRun[]} runs @returns {Promise<Side[]>} */
async function sidesOf(runs) {
  return Promise.all(runs.map(async (kept) => ({ kept, run: wholeRun(await readLog(kept.name)) })));
}

/** @param {Error} error @returns {import("./types/run.js").Problem} */
function unreadable({ message }) {
  return { title: "The runs cannot be compared.", cause: message, action: "Choose another run." };
}

/** @param {{sides: readonly Side[], titleOf: (run: EndedRun) => string}} props */
function Sides({ sides, titleOf }) {
  const [one, other] = /** @type {[Side, Side]} */ (sides);
  const parting = partingOf(one.run, other.run);
  return html`<div class="comparison-table" tabindex="0" role="region" aria-label="Facts of both runs"><table>
      <thead><tr><td></td>${sides.map(({ kept }) => html`<th scope="col">${titleOf(kept)}</th>`)}</tr></thead>
      <tbody>${ROWS.map(([name, fact]) => html`<${Row} name=${name} facts=${sides.map(fact)} />`)}</tbody>
    </table></div>
    <h4>${parting ? `They part in ${parting.where}` : "They do not part: replies, code, output and answer are the same"}</h4>
    ${parting && html`<${Pair} texts=${parting.texts} label="Where they part" />`}
    <h4>Answers</h4>
    <${Pair} texts=${sides.map(answerOf)} label="Answer" />`;
}

/** @type {ReadonlyArray<[string, (side: Side) => string]>} */
const ROWS = [
  ["Question", ({ run }) => run.question],
  ["Context", ({ run }) => contextsOf(run)],
  ["Model", ({ kept }) => kept.ended.model || "default model"],
  ["Ended", ({ run }) => activityOf(run, false).words],
  ["Iterations", ({ run }) => count(run.iterations.length)],
  ["Sub-calls", ({ run }) => count([...run.calls.values()].filter(({ kind }) => kind === "sub").length)],
  ["Child runs", ({ run }) => count(run.children.size)],
  ["Tokens in, out", ({ run }) => `${count(run.tokens.input)}, ${count(run.tokens.output)}`],
  ["Cost", ({ kept }) => cost(kept.ended.cost)],
  ["Time", ({ kept }) => duration(kept.ended.seconds)],
];

/** Names and sizes of the contexts, as the log has them. @param {RunView} run */
function contextsOf({ recorded }) {
  const [started] = recorded?.events ?? [];
  if (started?.type !== "run_started") return "";
  return started.contexts
    .map(({ name, size }) => (size === undefined ? `${name}` : `${name}, size ${count(Number(size))}`))
    .join("; ");
}

/** @param {{name: string, facts: readonly string[]}} props */
function Row({ name, facts: [one, other] }) {
  return html`<tr class=${one === other ? "" : "differs"}><th scope="row">${name}</th><td>${one}</td><td>${other}</td></tr>`;
}

/** @param {Side} side */
function answerOf({ run }) {
  return run.result?.answer || run.partial || "(none)";
}

/** @param {{texts: readonly string[], label: string}} props */
function Pair({ texts, label }) {
  return html`<div class="pair">${texts.map(
    (text, at) => html`<${LongText} text=${whole(text)} class="output" label=${`${label} ${at + 1}`} />`,
  )}</div>`;
}
