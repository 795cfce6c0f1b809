// @ts-check
// Trajectories of dspy.RLM: `{reasoning, code, output}` for each iteration, alone or in a prediction as JSON.
//
// In: a JSON value. Out: its run. They hold no question, no model and no sub-call.

import { fenced, isObject, newBlock, newIteration, newRun, stringOf, textOf } from "./shown_run.js";

/**
 * @typedef {import("./shown_run.js").Row} Row
 * @typedef {import("./shown_run.js").ShownRun} ShownRun
 */

const EXTRACTED = "Extract forced final output";
const FINAL = "FINAL: ";

/**
 * The entries of a trajectory, or of a prediction that holds one; null for any other value.
 * @param {unknown} value
 * @returns {Row[] | null}
 */
export function dspyEntries(value) {
  const entries = isObject(value) ? value.trajectory : value;
  if (!Array.isArray(entries) || (entries.length === 0 && !isObject(value))) return null;
  return entries.every((entry) => isObject(entry) && "code" in entry && "output" in entry) ? entries : null;
}

/**
 * @param {unknown} value
 * @param {Row[]} entries of it
 * @returns {ShownRun}
 */
export function readDspy(value, entries) {
  const fields = isObject(value) ? value : {};
  const run = newRun({ iterations: entries.map(iterationOf), answer: answerOf(fields, entries) });
  if (fields.final_reasoning !== EXTRACTED) return run;
  const detail = "The iterations ran out, and the answer was extracted from the trajectory.";
  return { ...run, stoppedBy: "max_iterations", detail };
}

/** @param {Row} row */
function iterationOf(row) {
  const [code, output] = [String(row.code), String(row.output)];
  const block = output.startsWith("[Error]") ? newBlock(code, { error: output }) : newBlock(code, { stdout: output });
  return newIteration(fenced(code, stringOf(row.reasoning)), { blocks: [block] });
}

/**
 * The output fields of the prediction; without one, those that the last block printed.
 * @param {Row} fields
 * @param {Row[]} entries
 */
function answerOf(fields, entries) {
  const { trajectory: _, final_reasoning: __, ...outputs } = fields;
  const values = Object.values(outputs);
  if (values.length > 0) return textOf(values.length === 1 ? values[0] : outputs);
  const last = String(entries.at(-1)?.output ?? "");
  return last.startsWith(FINAL) ? last.slice(FINAL.length) : null;
}
