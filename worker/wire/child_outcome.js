// @ts-check
// Child outcome: the end of a child run, as the block that asked for it sees it.
//
// In: a run's result. Out: its final answer, or an error with the reason and the best answer so far.

import { providerError, toWireError } from "./errors.js";
import { NO_USAGE } from "./usage.js";

/**
 * @typedef {import("./protocol.js").RunResult} RunResult
 * @typedef {import("./types.d.ts").Outcome} Outcome
 */

export const CHILD_STOPPED = "the child run was stopped";
const MAX_PARTIAL_CHARS = 1_000;

/**
 * @param {Pick<RunResult, "answer" | "stopped_by" | "detail">} result
 * @param {boolean} isStopped by the caller, it alone
 * @returns {Outcome}
 */
export function toOutcome({ answer, stopped_by, detail }, isStopped) {
  if (stopped_by === "final_answer")
    return { completion: { text: answer, model: "", usage: NO_USAGE, finish_reason: "stop", reasoning: "" } };
  const best = answer.trim() && ` The best it had: ${answer.slice(0, MAX_PARTIAL_CHARS)}`;
  if (isStopped && stopped_by === "cancelled") return failed(`${CHILD_STOPPED}.${best}`);
  return failed(`the child run ended without a final answer (${stopped_by}): ${detail}${best}`);
}

/**
 * @param {string} why
 * @returns {Outcome}
 */
export function failed(why) {
  return { error: toWireError(providerError(why)) };
}
