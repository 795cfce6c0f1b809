// @ts-check
// Ending: what is told of a run that is over.
//
// In: what the worker said of its end, which is untrusted, or that it said nothing; and why the host ended it, if it did.
// Out: the result, and the log closed with it.

import { protocolError } from "../wire/errors.js";
import { RESULT_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {{stopped_by: RunResult["stopped_by"], detail: string}} Ending
 */

const MAX_RESULT_CHARS = 16 << 20;

/**
 * The worker's result, as far as it is believed: a stop that the host asked for has the host's reason.
 * @param {string} text
 * @param {number} seconds
 * @param {Ending | null} stopping
 * @returns {RunResult}
 */
export function resultOf(text, seconds, stopping) {
  if (text.length > MAX_RESULT_CHARS)
    throw protocolError(`a result of ${text.length} characters; ${MAX_RESULT_CHARS} are allowed.`);
  const value = /** @type {unknown} */ (JSON.parse(text));
  const wrong = mismatch(RESULT_SCHEMA, value, "result");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  const result = /** @type {RunResult} */ (value);
  const ending = result.stopped_by === "final_answer" ? null : stopping;
  const fault = result.stopped_by === "provider_error" && ending === null ? result.fault : null;
  if (result.stopped_by === "cancelled" && ending === null)
    throw protocolError("it says that the run was stopped; nobody stopped it.");
  return { ...result, seconds, ...ending, fault };
}

/** @returns {RunResult} */
export function noResult(/** @type {number} */ seconds, /** @type {Ending} */ ending) {
  return {
    answer: "",
    iterations: 0,
    seconds,
    usage: {},
    fault: null,
    ...ending,
  };
}

/**
 * Close the log: it begins with the run's configuration and ends with its result, whatever the worker said.
 * @param {import("../wire/types.d.ts").Recorder} recorder
 * @param {StartJob} job
 * @param {import("./budget.js").Tree} tree
 * @param {RunResult} result
 * @returns {Omit<import("./run.js").FinishedRun, "egress">}
 */
export function finished(recorder, job, tree, result) {
  const { question, model, sub_model, limits } = job;
  if (recorder.empty()) recorder.record({ type: "run_started", question, model, sub_model, limits, contexts: [] });
  const { answer, iterations, stopped_by, detail, usage } = result;
  recorder.record({ type: "run_finished", answer, iterations, stopped_by, detail, usage });
  if (job.path.length === 0) recorder.close();
  return { result, trajectory: recorder.trajectory, usageByPath: tree.usageByPath };
}
