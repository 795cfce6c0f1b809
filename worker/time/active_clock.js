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
  /** Of the next tick: one that is under way stays, since a run starts and stops the clock at each of its calls. */
  let dueAt = Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let runs = false;
  let waits = false;
  let used = 0;
  let since = 0;

  const count = () => {
    const at = now();
    used += Math.min(at - since, longest());
    since = at;
  };
  const tick = () => {
    dueAt = Infinity;
    if (!runs) return;
    count();
    if (limitMs !== null && used >= limitMs) onTime();
    else go();
  };
  const go = () => {
    if (limitMs === null) return;
    [runs, waits, since] = [true, false, now()];
    const wait = Math.min(SLICE_MS, Math.max(1, limitMs - used));
    if (dueAt <= since + wait) return;
    clearTimeout(timer);
    dueAt = since + wait;
    timer = setTimeout(tick, wait);
  };
  const halt = () => {
    [runs, waits] = [false, false];
  };

  return {
    start() {
      used = 0;
      go();
    },
    /** Time from here on is not counted, until `resume`. */
    pause() {
      if (!runs) return;
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
      if (runs) count();
      return used;
    },
  };
}

function longestTick() {
  return globalThis.document?.hidden ? LONGEST_HIDDEN_SLICE_MS : LONGEST_SLICE_MS;
}
