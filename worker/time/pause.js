// @ts-check
// Pause: the waits of the page's half.
//
// In: milliseconds, and a signal that ends the wait early. Out: a promise that never rejects.

const LONG_CHARS = 1 << 20;

/** @param {number} milliseconds */
export function sleep(milliseconds) {
  return new Promise((/** @type {(_: void) => void} */ done) => {
    setTimeout(done, milliseconds);
  });
}

/**
 * Between two steps of work on a text of `chars` characters: a task of the page's own may run where that is long.
 * @param {number} chars
 */
export function pauseIfLong(chars) {
  return chars > LONG_CHARS ? sleep(0) : undefined;
}

/**
 * Wait until the time is over, the browser is online again, or the signal is aborted.
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pauseFor(milliseconds, signal) {
  return new Promise((resolve) => {
    const ended = new AbortController();
    const timer = setTimeout(() => end(), milliseconds);
    const end = () => {
      clearTimeout(timer);
      ended.abort();
      resolve();
    };
    if (signal.aborted) return end();
    signal.addEventListener("abort", end, { signal: ended.signal });
    globalThis.addEventListener?.("online", end, { signal: ended.signal });
  });
}
