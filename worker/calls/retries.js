// @ts-check
// Retries: whether a failed request is sent again, and when.
//
// In: faults of the endpoint, or of the way to it. Out: a wait, or the end of the attempts; and notices for the user.
// A server that retries its upstream itself says how often (`attempts`): these count too, so that a call has one budget.
// A retry is safe: a call has an idempotency key, and the server answers a known one from its store.

import { pauseFor } from "../time/pause.js";

/** @typedef {ReturnType<typeof import("../wire/errors.js").providerError>} ProviderError */

const MAX_ATTEMPTS = 5;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 8_000;
const LONGEST_POLL_MS = 5_000;
/** A longer `Retry-After` ends the attempts. */
const LONGEST_RETRY_AFTER_MS = 300_000;
/** Of a server that was never reached, no attempt begins later than this: its address may be wrong, and a person waits. */
const LONGEST_FIRST_CONTACT_MS = 2_000;
/** No attempt begins later than this after the first. */
const LONGEST_RETRYING_MS = 600_000;
const MAX_NOTICES = 100;
const SHOWN_CHARS = 300;

/** Types of faults without any response: nobody there, or no way there. */
export const UNREACHED = ["server-unreachable", "cors-refused", "offline"];

/** Types of faults that end by themselves, when the server is there again. */
const WAITED_FOR = [...UNREACHED, "server-away"];

/**
 * The state that all requests of a run share: whether the endpoint was ever reached, and the notices so far.
 * @param {object} options
 * @param {boolean} options.isKnown whether something answers at the endpoint, as far as is known
 * @param {(text: string, code?: string) => void} options.onNotice `code` where the endpoint went away, or came back
 * @param {(milliseconds: number, signal: AbortSignal) => Promise<void>} [options.pause]
 * @param {() => number} [options.now] milliseconds, monotonic
 * @param {() => number} [options.random]
 */
export function openRetries({
  isKnown,
  onNotice,
  pause = pauseFor,
  now = () => performance.now(),
  random = Math.random,
}) {
  let reached = isKnown;
  let isAway = false;
  let notices = 0;

  /**
   * @param {string} text
   * @param {string} [code]
   */
  const notice = (text, code) => {
    notices += 1;
    if (notices <= MAX_NOTICES) onNotice(text, code);
  };
  /** @param {number} milliseconds */
  const jittered = (milliseconds) => milliseconds * (0.75 + random() / 2);
  /**
   * @param {ProviderError} fault
   * @param {number} round
   * @param {AbortSignal} signal
   */
  const awaitReturn = async (fault, round, signal) => {
    const waits = "The run waits, and continues when it answers again.";
    if (!isAway) notice(`${fault.message.slice(0, SHOWN_CHARS)} ${waits}`, "unreachable");
    isAway = true;
    await pause(jittered(Math.min(LONGEST_POLL_MS, FIRST_WAIT_MS * 2 ** (round - 1))), signal);
  };

  return {
    /** The endpoint answered, with success or not. */
    answered() {
      reached = true;
      if (isAway) notice("The server answers again: the run continues.", "reachable");
      isAway = false;
    },
    /** The attempts of one request. */
    attempts: () => {
      const began = now();
      let failed = 0;
      let retried = 0;
      let unreached = 0;
      return {
        /**
         * Wait before the next attempt; false when there is none.
         * @param {ProviderError} fault
         * @param {{calls: number, signal: AbortSignal}} request
         */
        async next(fault, { calls, signal }) {
          if (signal.aborted) return false;
          if (reached && WAITED_FOR.includes(fault.type)) {
            await awaitReturn(fault, (unreached += 1), signal);
            return !signal.aborted;
          }
          if (!fault.retryable) return false;
          failed += fault.attempts;
          retried += 1;
          const least = (fault.retryAfter ?? 0) * 1_000;
          const wait = Math.max(least, jittered(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (retried - 1))));
          const longest = UNREACHED.includes(fault.type) ? LONGEST_FIRST_CONTACT_MS : LONGEST_RETRYING_MS;
          if (failed >= MAX_ATTEMPTS || least > LONGEST_RETRY_AFTER_MS || now() - began + wait > longest) return false;
          if (retried > 1 || least > 0) notice(noticed(fault, { calls, wait, next: failed + 1 }));
          await pause(wait, signal);
          return !signal.aborted;
        },
      };
    },
  };
}

/**
 * @param {ProviderError} fault
 * @param {{calls: number, wait: number, next: number}} facts
 */
function noticed({ message }, { calls, wait, next }) {
  const subject = calls === 1 ? "A model call" : `${calls} model calls`;
  const when = `again in ${(wait / 1_000).toFixed(1)} s (try ${next} of ${MAX_ATTEMPTS})`;
  return `${subject} failed, ${when}: ${message.slice(0, SHOWN_CHARS)}`;
}
