// @ts-check
/**
 * Drawing of the page: at most once per animation frame, however much changed; ten times a second while a run writes, four
 * times while it counts. In: the news that the state changed. Out: one call of the listener for all of it, and an edition
 * of the page without its run: what does not show the run is drawn once for each. The end of a run waits for no frame.
 */

const PROGRESS_MS = 100;
/** Between drawings of numbers alone: nobody reads them faster, and a run may make hundreds of calls a second. */
export const COUNT_MS = 250;
const HIDDEN_MS = 500;

let listener = () => {};
let isDue = false;
let drawnAt = -Infinity;
let dueAt = Infinity;
let changes = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let progress;

/** @param {() => void} draw */
export function onChange(draw) {
  listener = draw;
}

/** Draw soon. */
export function changed() {
  changes += 1;
  drawSoon();
}

/** Draw now, not in the next frame: a person waits for it. */
export function drawAtOnce() {
  changes += 1;
  clearTimeout(progress);
  dueAt = Infinity;
  drawNow();
}

/** The number of changes that were not the progress of a run. */
export function edition() {
  return changes;
}

/**
 * Draw the progress of a run: it may change thousands of times a second, and each drawing lays out the page.
 * @param {number} [apart] milliseconds since the last drawing
 */
export function progressed(apart = PROGRESS_MS) {
  if (isDue || drawnAt + apart >= dueAt) return;
  clearTimeout(progress);
  dueAt = drawnAt + apart;
  const wait = dueAt - performance.now();
  if (wait > 0) progress = setTimeout(drawSoon, wait);
  else drawSoon();
}

/** A hidden tab has no animation frames: a timer stands in, so that it is never far behind. */
function drawSoon() {
  clearTimeout(progress);
  dueAt = Infinity;
  if (isDue) return;
  isDue = true;
  const draw = () => isDue && drawNow();
  if (document.hidden) setTimeout(draw, HIDDEN_MS);
  else requestAnimationFrame(draw);
}

function drawNow() {
  isDue = false;
  drawnAt = performance.now();
  listener();
}
