// @ts-check
// Time slices: long work on the page's thread, in pieces that leave it responsive.
//
// In: a generator that yields wherever it may be interrupted. Out: its return value. A hidden tab's timers come once a
// second, so a message is the pause: it is as fast there as anywhere.

const SLICE_MS = 8;

/**
 * @template T
 * @param {Generator<void, T, void>} work
 * @param {() => number} [now] milliseconds, monotonic
 * @returns {Promise<T>}
 */
export async function inSlices(work, now = () => performance.now()) {
  for (;;) {
    const until = now() + SLICE_MS;
    let step = work.next();
    while (!step.done && now() < until) step = work.next();
    if (step.done) return step.value;
    await yieldToPage();
  }
}

/** One channel for all pauses: a new one takes longer than most of the work between them. @type {MessageChannel | null} */
let channel = null;
/** @type {Array<() => void>} */
const paused = [];

/** Other tasks of the page's thread run first. @returns {Promise<void>} */
export function yieldToPage() {
  return new Promise((resolve) => {
    channel ??= new MessageChannel();
    channel.port1.onmessage = goOn;
    paused.push(resolve);
    channel.port2.postMessage(null);
  });
}

function goOn() {
  paused.shift()?.();
  // a process of tests ends with its last pause
  if (channel !== null && paused.length === 0) channel.port1.onmessage = null;
}
