// @ts-check
// Conversation: a root call of a worker comes with the messages that its last one did not have, and long texts beside it.
//
// In: requests of one worker. Out: the same with whole messages, the kept ones as the values that they were, so that a long
// conversation is neither copied nor read again at each iteration.

import { protocolError } from "../wire/errors.js";
import { withTexts } from "../wire/texts_beside.js";

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

  return (body, answer, bytes) => {
    const { value, data, chars: beside } = withTexts(JSON.parse(body), bytes);
    const size = body.length + beside;
    const { op, kind, kept, calls } = Object(value);
    if (op !== "complete" || kind !== "root" || !Array.isArray(calls) || !Array.isArray(Object(calls[0]).messages))
      return handler(body, { ...answer, value, chars: size }, data);
    const isKnown = kept === undefined || (Number.isInteger(kept) && kept >= 0 && kept <= last.length);
    if (!isKnown || (kept !== undefined && calls.length !== 1))
      throw protocolError(`a root call that keeps ${JSON.stringify(kept)} of ${last.length} messages.`);
    chars = kept > 0 ? chars + size : size;
    last = [...last.slice(0, kept ?? 0), ...calls[0].messages];
    calls[0].messages = last;
    delete value.kept;
    return handler(body, { ...answer, value, chars }, data);
  };
}
