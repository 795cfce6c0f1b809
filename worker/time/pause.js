// @ts-check
// Pause: how the page's half waits.
//
// In: milliseconds, and what else ends the wait. Out: a promise that never rejects.

const LONG_CHARS = 1 << 20;

export function sleep(/** @type {number} */ milliseconds) {
  return new Promise((/** @type {(_: void) => void} */ done) => {
    setTimeout(done, milliseconds);
  });
}

/** After work on a long text, let the page do what waits for it: each step of a request is a task of its own. */
export function breath(/** @type {number} */ chars) {
  return chars > LONG_CHARS ? sleep(0) : undefined;
}

/**
 * Wait, but no longer than until the browser is online again, or nobody waits any more.
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
