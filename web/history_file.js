// @ts-check
/**
 * Runs as one file: a line that names the form, then a line of JSON for each run, its log in it. In: runs and their logs,
 * or such a file. Out: a Blob made run by run, so that the logs are never in memory together; or the runs, one at a time.
 */

import { jsonIn } from "/rlm/wire/json.js";

/** @typedef {import("/rlm/log/journal.js").EndedRun} EndedRun */

const FORM = "pyodide-rlm runs";
const VERSION = 1;

/**
 * @param {readonly EndedRun[]} runs
 * @param {(name: string) => Promise<string>} readLog
 * @returns {Promise<Blob>}
 */
export async function exportedRuns(runs, readLog) {
  const parts = [new Blob([`${JSON.stringify({ form: FORM, version: VERSION })}\n`])];
  for (const run of runs) {
    const log = await readLog(run.name);
    parts.push(new Blob([`${JSON.stringify({ ...run, contexts: [], log })}\n`])); // contexts are not exported
  }
  return new Blob(parts, { type: "application/jsonl" });
}

/**
 * @param {Blob} file
 * @returns {AsyncGenerator<{run: EndedRun, log: string}, void>} throws an Error that names the line which is no run
 */
export async function* importedRuns(file) {
  let number = 0;
  for await (const line of linesOf(file)) {
    number += 1;
    const value = jsonIn(line);
    if (number === 1) checkForm(value);
    else yield runOf(value, number);
  }
  if (number === 0) throw new Error("The file is empty.");
}

/** @param {unknown} value */
function checkForm(value) {
  const { form, version } = /** @type {Record<string, unknown>} */ (Object(value));
  if (form !== FORM) throw new Error("Line 1 does not say that the file holds runs.");
  if (version !== VERSION) throw new Error(`The file has version ${version}; this page reads version ${VERSION}.`);
}

/** @param {unknown} value @param {number} number */
function runOf(value, number) {
  const { log, name, question, title, began, ended, options, given } = /** @type {Record<string, unknown>} */ (
    Object(value)
  );
  const isRun = [log, name, question].every((part) => typeof part === "string") && Number.isFinite(began);
  if (!isRun || typeof ended !== "object" || ended === null) throw new Error(`Line ${number} holds no run.`);
  const run = {
    name,
    question,
    title: typeof title === "string" ? title : "",
    began,
    ended,
    options: sessionIn(options),
    contexts: [],
    given: Array.isArray(given) ? given.map(contextIn) : [],
  };
  return { run: /** @type {EndedRun} */ (run), log: String(log) };
}

/** The number of a question in its conversation. @param {unknown} options */
function sessionIn(options) {
  const { session } = /** @type {Record<string, unknown>} */ (Object(options));
  return Number.isInteger(session) ? { session } : {};
}

/** @param {unknown} context */
function contextIn(context) {
  const { name, type, size } = /** @type {Record<string, unknown>} */ (Object(context));
  return { name: String(name), type: type === "file" ? "file" : "text", size: Number(size) || 0 };
}

/** @param {Blob} file @returns {AsyncGenerator<string, void>} */
async function* linesOf(file) {
  let rest = "";
  const texts = file.stream().pipeThrough(new TextDecoderStream());
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
