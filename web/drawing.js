// @ts-check
/**
 * Drawing of the page: at most once per animation frame, however much changed; ten times a second while a run changes it.
 * In: the news that the state changed. Out: one call of the listener for all of it.
 */

const PROGRESS_MS = 100;
const HIDDEN_MS = 500;

let listener = () => {};
let isDue = false;
let drawnAt = -Infinity;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let progress;

/** @param {() => void} draw */
export function onChange(draw) {
  listener = draw;
}

/** Draw soon. A hidden tab has no animation frames: a timer stands in, so that it is never far behind. */
export function changed() {
  clearTimeout(progress);
  progress = undefined;
  if (isDue) return;
  isDue = true;
  if (document.hidden) setTimeout(drawNow, HIDDEN_MS);
  else requestAnimationFrame(drawNow);
}

/** Draw soon, at most ten times a second: a run may change thousands of times in one, and each drawing lays out the page. */
export function progressed() {
  if (isDue || progress !== undefined) return;
  const wait = drawnAt + PROGRESS_MS - performance.now();
  if (wait > 0) progress = setTimeout(changed, wait);
  else changed();
}

function drawNow() {
  isDue = false;
  drawnAt = performance.now();
  listener();
}
