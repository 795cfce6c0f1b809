// @ts-check
// Stop: the one stop of a run: by the user, by its time, by the tree or the run above it. The first reason counts.
//
// In: the signals, and the limit of time. Out: a signal, and how the run ends. Time is active time; see active_clock.js.

import { openActiveClock } from "../time/active_clock.js";

/**
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("./types.d.ts").Ending} Ending
 */

export const CANCELLED = /** @type {const} */ ({ stopped_by: "cancelled", detail: "The run was stopped." });

/**
 * @param {{job: StartJob, signal?: AbortSignal, end?: AbortSignal}} options
 * @returns {import("./types.d.ts").Stop}
 */
export function openStop({ job, signal, end }) {
  const controller = new AbortController();
  /** @type {Ending | null} */
  let ending = null;
  let isBegun = false;
  /** @param {Ending} because */
  const stop = (because) => {
    ending ??= because;
    controller.abort();
  };
  const cancel = () => stop(CANCELLED);
  for (const from of [signal, end]) {
    from?.addEventListener("abort", cancel, { once: true });
    if (from?.aborted) cancel();
  }
  const seconds = typeof job.limits.max_seconds === "number" ? job.limits.max_seconds : null;
  const clock = openActiveClock({
    limitMs: seconds === null ? null : seconds * 1_000,
    onTime: () => stop({ stopped_by: "max_seconds", detail: timeIsUp(Number(seconds)) }),
  });
  return {
    stop,
    signal: controller.signal,
    ending: () => ending,
    /** Time is counted from the first worker's start. */
    begin() {
      if (!isBegun) clock.start();
      isBegun = true;
    },
    close() {
      clock.stop();
      for (const from of [signal, end]) from?.removeEventListener("abort", cancel);
    },
  };
}

/** @param {number} seconds */
function timeIsUp(seconds) {
  return `time limit reached: ${seconds} s of ${seconds} s used. Raise maxTimeout, or ask over a smaller context.`;
}
