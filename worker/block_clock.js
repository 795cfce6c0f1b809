// @ts-check
// Block clock: how long the block that runs has been at work.
//
// In: when a block starts and ends, and when it waits for an answer. Out: one call when its time is up. It counts active
// time: not the waiting, and not the hours that a laptop slept.

const SLICE_MS = 250;
const LONGEST_SLICE_MS = 2 * SLICE_MS;
const LONGEST_HIDDEN_SLICE_MS = 61_000; // a hidden tab's timers come once a minute

/**
 * @param {object} options
 * @param {number | null} options.limitMs
 * @param {() => void} options.onTime
 * @param {() => number} [options.now] milliseconds, monotonic
 */
export const openBlockClock = ({ limitMs, onTime, now = () => performance.now() }) => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let waits = false;
  let used = 0;
  let since = 0;

  const count = () => {
    const longest = globalThis.document?.hidden ? LONGEST_HIDDEN_SLICE_MS : LONGEST_SLICE_MS;
    const at = now();
    used += Math.min(at - since, longest);
    since = at;
  };
  const tick = () => {
    count();
    if (limitMs !== null && used >= limitMs) onTime();
    else go();
  };
  const go = () => {
    if (limitMs === null) return;
    clearTimeout(timer);
    waits = false;
    since = now();
    timer = setTimeout(tick, Math.min(SLICE_MS, Math.max(1, limitMs - used)));
  };
  const halt = () => {
    clearTimeout(timer);
    timer = undefined;
    waits = false;
  };

  return {
    start() {
      used = 0;
      go();
    },
    /** The block waits for an answer. */
    pause() {
      if (timer === undefined) return;
      count();
      halt();
      waits = true;
    },
    resume() {
      if (waits) go();
    },
    stop: halt,
  };
};
