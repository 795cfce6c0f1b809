// @ts-check
/**
 * Reading of a long run: which of its iterations are open, how many are listed, and where words occur in code and output. In:
 * the run's iterations, and words. Out: the same facts for all who draw them; who changes them has the page drawn. Nothing is drawn here.
 */

/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {import("./types/run.js").RunView} RunView */
/** `at` is the iteration that was jumped to, `found` the number of the match that is shown, from 0.
 * @typedef {{choices: Map<number, boolean>, shown: number, at: number | null, words: string, found: number}} Reading */

export const PAGE = 50;

/** @type {WeakMap<RunView, Reading>} */
const readings = new WeakMap();
/** Text of an iteration in lower case, until it changes. @type {WeakMap<IterationView, {version: number, text: string}>} */
const texts = new WeakMap();

/** @param {RunView} run */
export function readingOf(run) {
  let reading = readings.get(run);
  if (reading === undefined) {
    reading = { choices: new Map(), shown: PAGE, at: null, words: "", found: 0 };
    readings.set(run, reading);
  }
  return reading;
}

/** Open or fold an iteration. @param {Reading} reading @param {number} iteration @param {boolean} isOpen */
export function choose(reading, iteration, isOpen) {
  reading.choices.set(iteration, isOpen);
}

/** Open or fold all. @param {RunView} run @param {boolean} isOpen */
export function chooseAll(run, isOpen) {
  const reading = readingOf(run);
  for (const { iteration } of run.iterations) reading.choices.set(iteration, isOpen);
  if (isOpen) reading.shown = Math.max(reading.shown, run.iterations.length);
}

/** List the iteration, however early it is. @param {RunView} run @param {number} iteration */
export function reveal(run, iteration) {
  const reading = readingOf(run);
  const at = run.iterations.findIndex((one) => one.iteration === iteration);
  reading.shown = Math.max(reading.shown, run.iterations.length - at);
  reading.at = iteration;
}

/**
 * The number of the iteration one step from `from`, at most the first or the last.
 * @param {readonly IterationView[]} iterations
 * @param {number | null} from null: none is marked
 * @param {1 | -1} step
 */
export function stepped(iterations, from, step) {
  const at = iterations.findIndex((one) => one.iteration === from);
  const next = at === -1 ? (step === 1 ? 0 : iterations.length - 1) : at + step;
  return iterations[Math.max(0, Math.min(iterations.length - 1, next))]?.iteration ?? null;
}

/**
 * How often words occur in code, output, values, errors and prose of each iteration that has them; letters of either case.
 * @param {readonly IterationView[]} iterations
 * @param {string} words
 * @returns {Array<{iteration: number, times: number}>}
 */
export function occurrences(iterations, words) {
  const wanted = words.toLowerCase();
  if (wanted === "") return [];
  return iterations
    .map((one) => ({ iteration: one.iteration, times: timesIn(textOf(one), wanted) }))
    .filter(({ times }) => times > 0);
}

/**
 * The iteration that holds the match `number`, and its number within.
 * @param {ReturnType<typeof occurrences>} found
 * @param {number} number
 */
export function positionOf(found, number) {
  let before = 0;
  for (const { iteration, times } of found) {
    if (number < before + times) return { iteration, within: number - before, times };
    before += times;
  }
  return null;
}

/** @param {string} text @param {string} wanted */
function timesIn(text, wanted) {
  let times = 0;
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) times += 1;
  return times;
}

/** @param {IterationView} iteration */
function textOf(iteration) {
  const known = texts.get(iteration);
  if (known?.version === iteration.version) return known.text;
  const parts = [iteration.reply ?? iteration.written];
  for (const { printed, observation } of iteration.blocks) {
    const { head, tail } = printed.kept();
    parts.push(head, tail, observation?.value ?? "", observation?.error ?? "");
  }
  const text = parts.join("\n").toLowerCase();
  texts.set(iteration, { version: iteration.version, text });
  return text;
}
