// @ts-check
// Execution: the outcome of a console entry, as its caller gets it.
//
// In: how the run of the entry ended, and its events. Out: output, value, error and the variables. Nothing runs here.

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../rlm.d.ts").RLMExecution} RLMExecution
 */

const ENDED =
  "The code was stopped. It did not heed that, so its interpreter was ended: variables are rebuilt from the record, without this code.";

/**
 * @param {{result: RunResult, events: () => Iterable<Event>, trajectory: () => string}} finished
 * @returns {RLMExecution}
 */
export function executionOf({ result, events, trajectory }) {
  const block = [...events()].findLast((event) => event.type === "block_finished");
  const { stdout, stdout_chars, value, error, seconds, shown } =
    block?.type === "block_finished" ? block.observation : { ...NOTHING, error: endedBy(result) };
  /** @type {import("../rlm.d.ts").RLMVariable[] | null} */
  const variables = result.value === null ? null : JSON.parse(result.value);
  const isStopped = result.stopped_by === "cancelled";
  return { stdout, stdoutChars: stdout_chars, value, error, seconds, shown, isStopped, variables, trajectory };
}

const NOTHING = { stdout: "", stdout_chars: 0, value: null, seconds: 0, shown: null };

/** @param {RunResult} result */
function endedBy({ stopped_by, detail }) {
  return stopped_by === "cancelled" ? ENDED : detail;
}
