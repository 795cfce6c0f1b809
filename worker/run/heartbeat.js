// @ts-check
// Pulse: notices that a worker is gone which nothing else tells of: one that was terminated from outside just stops.
//
// In: what the worker says, and when it begins or waits for an answer: then it gives signs of life. Out: one call when
// they are missing. While a block computes, the worker is silent for as long as it likes; the block's own deadline ends that.

import { LONGEST_SLICE_MS, openActiveClock } from "../time/active_clock.js";
import { WORKER_IDLE_TIMEOUT_MS } from "../wire/protocol.js";

const MISSED_MS = WORKER_IDLE_TIMEOUT_MS / 2; // several signs of life

/**
 * @param {object} options
 * @param {() => void} options.onSilence
 * @param {() => boolean} options.inBlock
 */
export function openPulse({ onSilence, inBlock }) {
  const longest = () => LONGEST_SLICE_MS; // a tab that was frozen comes back before its worker is heard
  const clock = openActiveClock({ limitMs: WORKER_IDLE_TIMEOUT_MS, onTime: onSilence, longest });
  let waits = false;

  return {
    /** The worker is told to begin: it says at once that it is there. */
    begins: () => clock.start(),
    /** Any message came. */
    heard() {
      clock.stop();
      if (waits) clock.start();
    },
    /** The worker waits for an answer from here on. */
    asked() {
      waits = true;
      clock.start();
    },
    /** It has its answer, or was gone before it came. Outside of blocks it says something soon. */
    answered() {
      waits = false;
      if (inBlock() && clock.used() < MISSED_MS) clock.stop();
    },
    stop: clock.stop,
  };
}
