// @ts-check
// Message quota: how much a worker may send.
//
// In: each message, by its length. Out: an error once there are too many of them, or too much in them. An honest run stays
// far below: its output is joined, and each answered call brings a new allowance.

import { channelError } from "../wire/errors.js";

const BURST = { messages: 2_000, chars: 48 << 20 };
const PER_SECOND = { messages: 200, chars: 2 << 20 };
const PER_CALL = { messages: 8, chars: 1 << 20 };

/** @param {() => number} [now] milliseconds, monotonic */
export function openQuota(now = () => performance.now()) {
  const left = { ...BURST };
  let counted = now();

  /**
   * @param {typeof BURST} more
   * @param {number} times
   */
  const add = (more, times) => {
    left.messages = Math.min(BURST.messages, left.messages + more.messages * times);
    left.chars = Math.min(BURST.chars, left.chars + more.chars * times);
  };
  return {
    /** The whole allowance, for a new worker. */
    renew() {
      Object.assign(left, BURST);
      counted = now();
    },
    /**
     * `calls` were answered: the worker will have more to send.
     * @param {number} calls
     */
    expect: (calls) => add(PER_CALL, calls),
    /** @param {number} chars of the message that came */
    count(chars) {
      const seconds = (now() - counted) / 1_000;
      counted += seconds * 1_000;
      add(PER_SECOND, seconds);
      left.messages -= 1;
      left.chars -= chars;
      if (left.messages < 0) throw channelError(`it floods the page: more than ${BURST.messages} messages at once.`);
      if (left.chars < 0) throw channelError(`it floods the page: more than ${BURST.chars} characters at once.`);
    },
  };
}
