// @ts-check
// Tries: whether a call that failed is tried again, and when.
//
// In: faults of the way to the endpoint, or told by it. Out: a wait, or the end of all tries; and what the user is told.
// The server tries its upstream again by itself, for seconds; this is for what outlasts that, and for the server itself.
// Asking again is safe: a call has a ticket, and the server answers a known one from its store (see flights.py).

import { pauseFor } from "../time/pause.js";

/** @typedef {ReturnType<typeof import("../wire/errors.js").providerError>} ProviderError */

const MOST_TRIES = 5;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 8_000;
const LONGEST_POLL_MS = 5_000;
/** A longer `Retry-After` ends the tries. */
const LONGEST_ASKED_MS = 300_000;
/** No try begins later than this after the first. */
const PATIENCE_MS = 600_000;
const MAX_NOTICES = 100;
const SHOWN_CHARS = 300;

/** Types of faults where nothing came back at all: nobody there, or no way there. */
export const UNREACHED = ["server-unreachable", "offline"];

/**
 * What all calls of a run share: whether the endpoint was ever there, and what was told of it.
 * @param {object} options
 * @param {boolean} options.isKnown whether something answers at the endpoint, as far as is known
 * @param {(text: string) => void} options.tell
 * @param {(milliseconds: number, signal: AbortSignal) => Promise<void>} [options.pause]
 * @param {() => number} [options.now] milliseconds, monotonic
 * @param {() => number} [options.random]
 */
export function openPatience({ isKnown, tell, pause = pauseFor, now = () => performance.now(), random = Math.random }) {
  let reached = isKnown;
  let isAway = false;
  let told = 0;

  const say = (/** @type {string} */ text) => {
    told += 1;
    if (told <= MAX_NOTICES) tell(text);
  };
  const jittered = (/** @type {number} */ milliseconds) => milliseconds * (0.75 + random() / 2);
  const awaitReturn = async (
    /** @type {ProviderError} */ fault,
    /** @type {number} */ round,
    /** @type {AbortSignal} */ signal,
  ) => {
    if (!isAway) say(`${fault.message.slice(0, SHOWN_CHARS)} The run waits, and goes on when it answers again.`);
    isAway = true;
    await pause(jittered(Math.min(LONGEST_POLL_MS, FIRST_WAIT_MS * 2 ** (round - 1))), signal);
  };

  return {
    /** The endpoint answered, whatever it said. */
    answered() {
      reached = true;
      if (isAway) say("The server answers again: the run goes on.");
      isAway = false;
    },
    /** The tries of one request. */
    tries: () => {
      const began = now();
      let failed = 0;
      let unreached = 0;
      return {
        /**
         * Wait before the next try; false when there is none.
         * @param {ProviderError} fault
         * @param {{calls: number, signal: AbortSignal}} asked
         */
        async another(fault, { calls, signal }) {
          if (signal.aborted || !fault.retryable) return false;
          if (reached && UNREACHED.includes(fault.type)) {
            await awaitReturn(fault, (unreached += 1), signal);
            return !signal.aborted;
          }
          failed += 1;
          const asked = (fault.retryAfter ?? 0) * 1_000;
          const wait = Math.max(asked, jittered(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failed - 1))));
          if (failed >= MOST_TRIES || asked > LONGEST_ASKED_MS || now() - began + wait > PATIENCE_MS) return false;
          if (failed > 1 || asked > 0) say(noticed(fault, { calls, wait, next: failed + 1 }));
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
  const what = calls === 1 ? "A model call" : `${calls} model calls`;
  const when = `again in ${(wait / 1_000).toFixed(1)} s (try ${next} of ${MOST_TRIES})`;
  return `${what} failed, ${when}: ${message.slice(0, SHOWN_CHARS)}`;
}
