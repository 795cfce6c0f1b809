// @ts-check
// Console: an entry of the person, which is run as a question is, without a model.
//
// In: the handlers and the session of a run. Out: the same for an entry, and the shape of what its worker ends with. Stops,
// crashes and repeats are those of any run.

import { providerError } from "../wire/errors.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("./types.d.ts").Session} Session
 */

const MAX_VARIABLES_CHARS = 2 << 20;
/** @type {import("../wire/schema.js").Schema} */
const VARIABLES = ["list", ["struct", { name: "string", type: "string", size: "string", preview: "string" }]];
const NO_MODEL = "no model is called from the console: ask a question for that.";
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
