// @ts-check
// Errors: the page's half of rlm_core/errors.py, by name.
//
// In: a name of that tree, a sentence that says what happened and what to do, and facts. Out: an Error with them.

/** @typedef {"ConfigError" | "ProviderError" | "LimitReached" | "ChannelError" | "ProtocolError" | "ToolError"} ErrorName */

/**
 * @template {object} F
 * @param {ErrorName} name
 * @param {string} message
 * @param {F} facts
 * @returns {Error & F}
 */
export const rlmError = (name, message, facts) => Object.assign(new Error(message), { name, ...facts });

/** An argument is impossible; nothing ran. */
export const configError = (/** @type {string} */ message) => rlmError("ConfigError", message, {});

/** Worker and host lost touch. */
export const channelError = (/** @type {string} */ message) => rlmError("ChannelError", message, {});

/** A malformed message: somebody's fault, never the user's. */
export const protocolError = (/** @type {string} */ message) => rlmError("ProtocolError", message, {});

/**
 * A model call failed upstream or on the way there.
 * @param {string} message
 * @param {{retryable?: boolean, status?: number | null, upstream?: string | null}} [facts]
 */
export const providerError = (message, { retryable = false, status = null, upstream = null } = {}) =>
  rlmError("ProviderError", message, { retryable, status, upstream });
