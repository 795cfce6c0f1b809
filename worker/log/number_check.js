// @ts-check
// Number check: numbers of an answer that nobody computed and nobody read.
//
// In: an answer, its evidence, and the events of its log. Out: the numbers that the root model wrote itself, and that occur
// in no output of code, no reply to a sub-call, no quote that stands in the context, and not in the question. Rounding,
// units and separators are allowed for. A number that the model did not write was computed by its code. Nothing is asked
// and no context is read.

import { numbersIn, valuesIn } from "./number_forms.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("./number_forms.js").NumberForm} NumberForm
 * @typedef {import("./number_forms.js").Reading} Reading
 * @typedef {{quote: string, status: string}} Quote
 */

/**
 * A number of the answer, [start, end) in characters as Python counts them.
 * @typedef {{text: string, start: number, end: number}} LooseNumber
 */

const MOST_LISTED = 100;
const SMALL = 10;
const SMALL_ORDINAL = 31;
const ABOUT =
  /(?:about|around|roughly|approximately|approx\.?|nearly|almost|over|above|under|below|some|circa|ca\.?|more than|less than|fewer than|at least|up to|~|\u2248|etwa|rund|knapp|fast|\u00fcber|mehr als)\s*$/i;
const ORDINAL = /^(?:st|nd|rd|th)\b/i;

/**
 * @param {string} answer
 * @param {Quote[]} evidence
 * @param {() => Iterable<Event>} eventsOf called only where the answer has a number that makes a claim
 * @returns {Generator<void, LooseNumber[], void>} to be run at once or in slices
 */
export function* looseNumbers(answer, evidence, eventsOf) {
  const claims = [...numbersIn(answer)].filter((number) => isClaim(number, answer));
  if (claims.length === 0) return [];
  const [known, written] = [openValues(), openValues()];
  for (const { quote, status } of evidence) if (status !== "missing") known.add(quote);
  const kinds = new Map();
  for (const event of eventsOf()) {
    if (isUnheldCall(event)) return [];
    for (const [whose, text] of textsIn(event, kinds)) {
      (whose === "known" ? known : written).add(text);
      yield;
    }
  }
  const loose = claims.filter((number) => isWritten(number, written) && !isSupported(number, known));
  return loose.slice(0, MOST_LISTED).map(({ text, start, end }) => {
    const chars = [...answer.slice(0, start)].length;
    return { text, start: chars, end: chars + [...answer.slice(start, end)].length };
  });
}

/**
 * Whether a number claims something: counts up to ten, ordinals, numbering of a list and marks of quotes do not.
 * @param {NumberForm} number
 * @param {string} answer
 */
function isClaim({ digits, start, alternatives, isQuantity, before, after }, answer) {
  if (isQuantity) return true;
  const [[{ value }]] = alternatives;
  const isWhole = /^\d+$/.test(digits);
  if (isWhole && value <= SMALL) return false;
  if (isWhole && value <= SMALL_ORDINAL && ORDINAL.test(after)) return false;
  if (isWhole && digits.length < 4 && /\p{L}$/u.test(before)) return false; // a name, as sha256
  if (before.endsWith("[") && after.startsWith("]")) return false;
  const line = answer.slice(answer.lastIndexOf("\n", start) + 1, start);
  return !(isWhole && digits.length < 4 && /^[\s>*(#-]*$/.test(line) && /^[.)]\s/.test(after));
}

/** A sub-call of a log of another system, which holds neither prompts nor replies. @param {Event} event */
function isUnheldCall(event) {
  return event.type === "call_started" && event.kind === "sub" && event.messages.length === 0;
}

/**
 * Texts of an event: those that the root model was shown, the question among them, and those that it wrote.
 * @param {Event} event
 * @param {Map<number, string>} kinds of the calls so far, and whose they are
 * @returns {Generator<["known" | "written", string], void, void>}
 */
function* textsIn(event, kinds) {
  const isRoot = event.path.length === 0;
  if (event.type === "run_started") {
    yield ["known", `${event.question}\n${JSON.stringify(event.contexts)}`];
  } else if (event.type === "block_finished") {
    const { stdout, value, error } = event.observation;
    for (const text of [stdout, value, error]) if (text) yield ["known", text];
  } else if (event.type === "call_started") {
    kinds.set(event.call, event.kind === "root" && isRoot ? "written" : event.kind);
    if (event.kind === "root" && event.kept === 0)
      for (const { role, content } of event.messages) if (role === "user") yield ["known", content];
  } else if (event.type === "call_finished" && event.text !== null) {
    const kind = kinds.get(event.call);
    if (kind === "sub") yield ["known", event.text];
    if (kind === "written") yield ["written", event.text];
  } else if (event.type === "iteration_finished" && isRoot) yield ["written", event.reply];
  else if (event.type === "tool_called") yield ["known", event.result_json ?? JSON.stringify(event.result ?? null)];
  else if (event.type === "run_finished" && !isRoot) yield ["known", event.answer];
}

/** Values of numbers in many texts, found again within a range. */
function openValues() {
  /** @type {Set<number>} */
  const values = new Set();
  /** @type {Float64Array | null} */
  let sorted = null;
  return {
    /** @param {string} text */
    add(text) {
      sorted = null;
      valuesIn(text, (value) => void values.add(value));
    },
    /** @param {number} low @param {number} high */
    hasBetween(low, high) {
      sorted ??= Float64Array.from(values).sort();
      let [from, to] = [0, sorted.length];
      while (from < to) {
        const middle = (from + to) >> 1;
        if (sorted[middle] < low) from = middle + 1;
        else to = middle;
      }
      return from < sorted.length && sorted[from] <= high;
    },
  };
}

/** @typedef {ReturnType<typeof openValues>} Values */

/** Whether the model wrote it, in whatever form. @param {NumberForm} number @param {Values} written */
function isWritten({ alternatives }, written) {
  return alternatives.some((readings) => readings.every(({ value }) => hasNear(written, value, 0)));
}

/** @param {NumberForm} number @param {Values} known */
function isSupported({ alternatives, factors, digits, before, isQuantity }, known) {
  const isAbout = ABOUT.test(before);
  const hasUnit = isQuantity || factors.length > 1;
  return alternatives.some((readings) =>
    readings.every((reading) => {
      const step = stepOf(reading, { isAbout, isRound: isAbout || hasUnit || /\D/.test(digits) });
      return factors.some((factor) => hasNear(known, reading.value * factor, (isAbout ? step : step / 2) * factor));
    }),
  );
}

/**
 * Size of the place to which a number is rounded: zeros at its end are rounding, where it is no year or the like.
 * @param {Reading} reading
 * @param {{isAbout: boolean, isRound: boolean}} form
 */
function stepOf({ value, step }, { isAbout, isRound }) {
  if (step !== 1 || value === 0 || !(isRound || value >= 10_000)) return step;
  const kept = isAbout ? 1 : 2;
  let rounded = 1;
  while (value % (rounded * 10) === 0 && value / (rounded * 10) >= 10 ** (kept - 1)) rounded *= 10;
  return rounded;
}

/** @param {Values} values @param {number} value @param {number} tolerance */
function hasNear(values, value, tolerance) {
  const slack = tolerance + Math.abs(value) * 1e-9;
  return values.hasBetween(value - slack, value + slack);
}

/**
 * The checks of an answer from its log alone.
 * @param {{answer: string, evidence: Quote[]}} ended
 * @param {() => Iterable<Event>} eventsOf
 * @returns {Generator<void, {numbers: LooseNumber[], supported: boolean}, void>}
 */
export function* checksOf({ answer, evidence }, eventsOf) {
  const supported = evidence.some(({ status }) => status !== "missing");
  return { numbers: yield* looseNumbers(answer, evidence, eventsOf), supported };
}

/** @param {string} log @returns {Generator<Event, void, void>} */
export function* eventsIn(log) {
  for (let at = 0; at < log.length; ) {
    const end = log.indexOf("\n", at);
    const line = log.slice(at, end === -1 ? log.length : end);
    if (line.trim() !== "") yield JSON.parse(line);
    at = end === -1 ? log.length : end + 1;
  }
}

/**
 * @template T
 * @param {Generator<void, T, void>} work
 * @returns {T}
 */
export function atOnce(work) {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
