// @ts-check
// Result: how a run ended.
//
// In: the worker's own account of its end, which is untrusted, or none; and why the host ended it, if it did. Out: the
// result, and the log closed with it.

import { protocolError } from "../wire/errors.js";
import { RESULT_SCHEMA } from "../wire/protocol.js";
import { mismatch, picked } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").Event & {type: "run_started"}} RunStarted
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {import("./types.d.ts").Ending} Ending
 */

const MAX_RESULT_CHARS = 16 << 20;

/**
 * The worker's result, as far as it is believed: a stop by the host has the host's reason, and a value fits the schema.
 * @param {string} text
 * @param {Pick<import("./types.d.ts").Run, "recorder" | "shape">} run
 * @param {Ending | null} stopping
 * @returns {RunResult}
 */
export function resultOf(text, { recorder, shape }, stopping) {
  if (text.length > MAX_RESULT_CHARS)
    throw protocolError(`a result of ${text.length} characters; ${MAX_RESULT_CHARS} are allowed.`);
  const claimed = JSON.parse(text);
  const wrong = mismatch(RESULT_SCHEMA, claimed, "result");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  const result = /** @type {RunResult} */ (picked(RESULT_SCHEMA, claimed));
  const ending = result.stopped_by === "final_answer" ? null : stopping;
  const fault = result.stopped_by === "provider_error" && ending === null ? result.fault : null;
  if (result.stopped_by === "cancelled" && ending === null)
    throw protocolError("it says that the run was stopped; nobody stopped it.");
  const value = shape?.fits(result.value) ? result.value : null;
  return { ...result, value, seconds: recorder.seconds(), ...ending, fault };
}

/**
 * @param {number} seconds
 * @param {Ending} ending
 * @returns {RunResult}
 */
export function noResult(seconds, ending) {
  return { answer: "", iterations: 0, seconds, usage: {}, fault: null, value: null, evidence: [], ...ending };
}

/**
 * Close the log of a run: it begins with the run's configuration and ends with its result, whatever the worker sent.
 * @param {Recorder} recorder
 * @param {Omit<RunStarted, "type" | "contexts" | "seq" | "path" | "seconds">} start
 * @param {RunResult} result
 */
export function recordResult(recorder, start, result) {
  if (recorder.empty()) recorder.record({ type: "run_started", ...start, contexts: [] });
  const { answer, iterations, stopped_by, detail, usage, value, evidence } = result;
  recorder.record({ type: "run_finished", answer, iterations, stopped_by, detail, usage, value, evidence });
}
