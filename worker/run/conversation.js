// @ts-check
// Conversation: a root call of a worker comes with the messages that its last one did not have.
//
// In: requests of one worker. Out: the same with whole messages, the kept ones as the values that they were, so that a long
// conversation is neither copied nor read again at each iteration.

import { protocolError } from "../wire/errors.js";

/** @typedef {import("../wire/types.d.ts").Handler} Handler */

/**
 * `handler`, which gets the whole value of each request as `answer.value`.
 * @param {Handler} handler
 * @returns {Handler}
 */
export function withConversation(handler) {
  /** Messages of the last root call. @type {unknown[]} */
  let last = [];
  let chars = 0;

  return (body, answer, data) => {
    const value = JSON.parse(body);
    const { op, kind, kept, calls } = Object(value);
    if (op !== "complete" || kind !== "root" || !Array.isArray(calls) || !Array.isArray(Object(calls[0]).messages))
      return handler(body, { ...answer, value }, data);
    const isKnown = kept === undefined || (Number.isInteger(kept) && kept >= 0 && kept <= last.length);
    if (!isKnown || (kept !== undefined && calls.length !== 1))
      throw protocolError(`a root call that keeps ${JSON.stringify(kept)} of ${last.length} messages.`);
    chars = kept > 0 ? chars + body.length : body.length;
    last = [...last.slice(0, kept ?? 0), ...calls[0].messages];
    calls[0].messages = last;
    delete value.kept;
    return handler(body, { ...answer, value, chars }, data);
  };
}
