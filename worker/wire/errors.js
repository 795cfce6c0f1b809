// @ts-check
// Errors: the page's half of rlm_core/errors.py, by name.
//
// In: a name of that tree, a sentence with the event and its remedy, and facts. Out: an Error with them.

import { fieldsOf } from "./schema.js";

/** @typedef {import("./protocol.js").WireError} WireError */

/**
 * @typedef {"ConfigError" | "ProviderError" | "LimitReached" | "ChannelError" | "ProtocolError"
 *   | "ToolError" | "ReplayError"} ErrorName
 */

/** The reason of a lost worker that did nothing itself: the browser or a developer ended it. */
export const ENDED_OUTSIDE = "it was ended from outside";

const MAX_ERROR_CHARS = 100_000;

/**
 * @template {object} F
 * @param {ErrorName} name
 * @param {string} message
 * @param {F} facts
 * @returns {Error & F}
 */
export function rlmError(name, message, facts) {
  return Object.assign(new Error(message), { name, ...facts });
}

/**
 * An argument is impossible; nothing ran.
 * @param {string} message
 */
export function configError(message) {
  return rlmError("ConfigError", message, {});
}

/**
 * Worker and host lost touch.
 * @param {string} message
 */
export function channelError(message) {
  return rlmError("ChannelError", message, {});
}

/**
 * A malformed message: somebody's fault, never the user's.
 * @param {string} message
 */
export function protocolError(message) {
  return rlmError("ProtocolError", message, {});
}

/**
 * A run that is made from a log does not go as the recorded one did.
 * @param {string} message
 */
export function replayError(message) {
  return rlmError("ReplayError", message, {});
}

/**
 * A model call failed upstream or on the way there. `retryAfter` is the wait in seconds that the server wants before a retry.
 * @param {string} message
 * `attempts` counts the requests to the upstream that failed with it.
 * @param {Partial<import("./protocol.js").Fault> & {retryAfter?: number | null, attempts?: number}} [facts]
 */
export function providerError(message, facts) {
  const unknown = { type: "unknown", retryable: false, status: null, upstream: null, retryAfter: null, attempts: 1 };
  return rlmError("ProviderError", message, { ...unknown, ...facts });
}

/** A call that the user, a limit or the end of its block stopped. */
export function callStopped() {
  return toWireError(providerError("the call was stopped", { type: "stopped" }));
}

/**
 * The fields of an error as they cross the channel. An error of ours carries them as properties, and one that cannot
 * even be read (a getter that throws) is an error too.
 * @param {unknown} error
 * @returns {WireError}
 */
export function toWireError(error) {
  try {
    return wireFields(error);
  } catch (fault) {
    return wireFields(new Error("the host failed, and its error cannot be shown", { cause: fault }));
  }
}

/**
 * @param {unknown} error
 * @returns {WireError}
 */
function wireFields(error) {
  const known = fieldsOf(error);
  return {
    title: String(known.title ?? known.name ?? "Error").slice(0, 200),
    detail: String(known.detail ?? known.message ?? error).slice(0, MAX_ERROR_CHARS),
    type: typeof known.type === "string" ? known.type : "unknown",
    retryable: known.retryable === true,
    status: typeof known.status === "number" ? known.status : null,
    upstream: typeof known.upstream === "string" ? known.upstream : null,
  };
}
