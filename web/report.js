// @ts-check
/**
 * Report: finished runs as a file to take along. In: the logs of a run, or of a conversation's questions. Out: Markdown, one
 * HTML file without a script, or a notebook. The page and the command (`pyodide-rlm export`) both make it here. Nothing in
 * it is loaded from anywhere: pictures of an answer are named, tags are text.
 */

import { evidenceLines } from "/rlm/log/evidence_lines.js";
import { addressOf } from "./address.js";
import { wholeRun } from "./recorded.js";
import { prepareMath } from "./math.js";
import { displaysInMarkdown } from "./report_displays.js";
import { checkLines, displaysOf, factsOf, inert, noAnswer } from "./report_facts.js";
import { htmlOf } from "./report_html.js";
import { notebookOf } from "./report_notebook.js";

/** @typedef {import("./report_facts.js").EndedRun} EndedRun */
/** @typedef {"markdown" | "html" | "ipynb"} Form */
/** Text of the context that was typed on the page: no file holds it. @typedef {{typed?: string | null}} Extras */

/** @type {Readonly<Record<Form, {suffix: string, type: string}>>} */
export const FORMS = {
  markdown: { suffix: "md", type: "text/markdown" },
  html: { suffix: "html", type: "text/html" },
  ipynb: { suffix: "ipynb", type: "application/x-ipynb+json" },
};

/**
 * @param {readonly string[]} logs one for each question, the oldest first
 * @param {Form} form
 * @param {Extras} [extras]
 * @returns {Promise<string>} rejects with a ConfigError where a log has no ending, or is none
 */
export async function reportOf(logs, form, { typed = null } = {}) {
  const runs = logs.map(endedRun);
  if (form === "markdown") return runs.map(markdownOf).join("\n");
  if (form === "html") {
    await prepareMath(runs.map((run) => run.result.answer + markdownDisplayed(run)).join("\n"));
    return htmlOf(runs, await asset("style/report.css"));
  }
  return notebookOf(runs, { prelude: await asset("notebook/prelude.py"), typed });
}

/** Markdown that a run displayed, in which maths may stand. @param {EndedRun} run */
function markdownDisplayed(run) {
  const shown = run.iterations.flatMap(({ blocks }) => blocks.map(({ observation }) => observation?.shown ?? ""));
  return shown.filter((json) => json.includes('"kind": "markdown"')).join("\n");
}

/** @param {string} log @returns {EndedRun} */
function endedRun(log) {
  const run = wholeRun(log);
  if (run.result === null || run.recorded === null) {
    const message = "the log has no ending: its run was cut off. `pyodide-rlm run --resume` continues it.";
    throw Object.assign(new Error(message), { name: "ConfigError" });
  }
  return /** @type {EndedRun} */ (run);
}

/** @param {string} name */
async function asset(name) {
  const response = await fetch(addressOf(`page/${name}`));
  if (response.ok) return response.text();
  throw new Error(`${name} of the page could not be loaded (status ${response.status}): reload the page.`);
}

/** @param {EndedRun} run */
function markdownOf(run) {
  const { result } = run;
  const parts = [`# ${inert(run.question.trim())}`, inert(result.answer.trim()) || "(no answer)"];
  if (result.stoppedBy !== "final_answer") parts.push(inert(noAnswer(result)));
  const displays = displaysInMarkdown(displaysOf(run));
  if (displays.length > 0) parts.push("## Displayed", ...displays);
  parts.push("## Evidence");
  const lines = evidenceLines(result.evidence).map((line) => `- ${inert(line)}`);
  if (lines.length > 0) parts.push(lines.join("\n"));
  parts.push(...checkLines(result), "## Run");
  parts.push(factsOf(run).map(([name, text]) => `- ${name}: ${inert(text)}`).join("\n")); // biome-ignore format: one line
  return `${parts.join("\n\n")}\n`;
}
