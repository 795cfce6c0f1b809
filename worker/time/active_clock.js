// @ts-check
// Active clock: how long a block, or a whole run, has been at work.
//
// In: its start and end, and the waits that are not counted. Out: one call when its time is up. It counts
// by ticks, and a tick that comes late counts for little: the hours that a laptop slept are no work.

const SLICE_MS = 250;
export const LONGEST_SLICE_MS = 2 * SLICE_MS;
const LONGEST_HIDDEN_SLICE_MS = 61_000; // a hidden tab's timers come once a minute

/**
 * @param {object} options
 * @param {number | null} options.limitMs
 * @param {() => void} options.onTime
 * @param {() => number} [options.longest] milliseconds that one tick may count for
 * @param {() => number} [options.now] milliseconds, monotonic
 */
export function openActiveClock({ limitMs, onTime, longest = longestTick, now = () => performance.now() }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let waits = false;
  let used = 0;
  let since = 0;

  const count = () => {
    const at = now();
    used += Math.min(at - since, longest());
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
    /** Time from here on is not counted, until `resume`. */
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
    /** Milliseconds since `start`. */
    used() {
      if (timer !== undefined) count();
      return used;
    },
  };
}

function longestTick() {
  return globalThis.document?.hidden ? LONGEST_HIDDEN_SLICE_MS : LONGEST_SLICE_MS;
}
