// @ts-check
// Console: an entry of the person, which is run as a question is, without a model.
//
// In: the job of an entry, and how its run ended. Out: what its worker may ask for and end with, and the execution as the
// caller gets it. Stops, crashes and repeats are those of any run.

import { providerError } from "../wire/errors.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../rlm.d.ts").RLMExecution} RLMExecution
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("./types.d.ts").FinishedRun} FinishedRun
 * @typedef {import("./types.d.ts").Session} Session
 */

const MAX_VARIABLES_CHARS = 2 << 20;
/** @type {import("../wire/schema.js").Schema} */
const VARIABLES = ["list", ["struct", { name: "string", type: "string", size: "string", preview: "string" }]];
const NO_MODEL = "no model is called from the console: ask a question for that.";
const ENDED =
  "The code was stopped. It did not heed that, so its interpreter was ended: variables are rebuilt from the record, without this code.";

/** The shape of the value that an entry's worker ends with: the variables. @type {import("./shape.js").Shape} */
export const OF_VARIABLES = {
  differences: () => ["an entry has no value to check"],
  fits(text) {
    if (text === null || text.length > MAX_VARIABLES_CHARS) return false;
    try {
      return mismatch(VARIABLES, JSON.parse(text), "variables") === null;
    } catch (error) {
      if (error instanceof SyntaxError) return false;
      throw error;
    }
  },
};

/**
 * The requests of an entry: functions of the caller are called, models are not, whatever the worker asks for.
 * @param {Readonly<Record<string, Handler>>} handlers
 * @returns {typeof handlers}
 */
export function withoutModels(handlers) {
  const refuse = async () => {
    throw providerError(NO_MODEL);
  };
  return { ...handlers, complete: refuse, child: refuse };
}

/**
 * `session`, to which the next entry leaves no trace: it changes nothing, and is not repeated.
 * @param {Session} session
 * @returns {Session}
 */
export function unrecorded(session) {
  return { ...session, add: () => {} };
}

/**
 * @param {FinishedRun} finished
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

/** @param {FinishedRun["result"]} result */
function endedBy({ stopped_by, detail }) {
  return stopped_by === "cancelled" ? ENDED : detail;
}
