// @ts-check
// Heartbeat: notices that a worker is gone of which no event tells: one that was terminated from outside just stops.
//
// In: the worker's messages, and when it begins or waits for an answer: then it sends beats. Out: one call when they are
// missing. While a block computes, the worker may be silent for any time; the block's own deadline ends that.

import { LONGEST_SLICE_MS, openActiveClock } from "../time/active_clock.js";
import { WORKER_IDLE_TIMEOUT_MS } from "../wire/protocol.js";

const MISSED_MS = WORKER_IDLE_TIMEOUT_MS / 2; // several beats

/**
 * @param {object} options
 * @param {() => void} options.onMissed
 * @param {() => boolean} options.inBlock
 */
export function openHeartbeat({ onMissed, inBlock }) {
  const longest = () => LONGEST_SLICE_MS; // a tab that was frozen comes back before its worker is heard
  const clock = openActiveClock({ limitMs: WORKER_IDLE_TIMEOUT_MS, onTime: onMissed, longest });
  let waits = false;

  return {
    /** The worker is started: it sends its first event at once. */
    begin: () => clock.start(),
    /** Any message came. */
    received() {
      clock.stop();
      if (waits) clock.start();
    },
    /** The worker waits for an answer from here on. */
    waitBegins() {
      waits = true;
      clock.start();
    },
    /** It has its answer, or was gone before that. Outside of blocks it sends something soon. */
    waitEnds() {
      waits = false;
      if (inBlock() && clock.used() < MISSED_MS) clock.stop();
    },
    stop: clock.stop,
  };
}
