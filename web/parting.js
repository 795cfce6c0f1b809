// @ts-check
/**
 * Parting: the first place where two runs of one question differ. In: two `RunView`s. Out: the place in words, with both
 * texts from a little before it, or null where one is as the other. Times and costs are not compared. Nothing is drawn.
 */

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {Pick<import("./types/run.js").IterationView, "iteration" | "reply" | "blocks">} Iteration */
/** `texts` begin with "…" where they are cut. @typedef {{where: string, texts: [string, string]}} Parting */

const BEFORE_CHARS = 40;
const SHOWN_CHARS = 400;
const NONE = "(nothing)";

/**
 * @param {Pick<RunView, "iterations" | "result">} one
 * @param {Pick<RunView, "iterations" | "result">} other
 * @returns {Parting | null}
 */
export function partingOf(one, other) {
  const most = Math.max(one.iterations.length, other.iterations.length);
  for (let at = 0; at < most; at += 1) {
    const parting = ofIterations(one.iterations[at], other.iterations[at], at + 1);
    if (parting) return parting;
  }
  return ofTexts("the answer", one.result?.answer ?? "", other.result?.answer ?? "");
}

/**
 * @param {Iteration | undefined} one
 * @param {Iteration | undefined} other
 * @param {number} number
 */
function ofIterations(one, other, number) {
  const where = `iteration ${number}`;
  if (!one || !other) return { where: `${where}, which one of them has not`, texts: both([one, other], startOf) };
  const count = Math.max(one.blocks.length, other.blocks.length);
  const facts = [
    { what: "", of: replyOf },
    ...Array.from({ length: count }, (_, at) => [
      { what: `, the code of block ${at + 1}`, of: (/** @type {Iteration} */ each) => each.blocks[at]?.code ?? "" },
      { what: `, the output of block ${at + 1}`, of: (/** @type {Iteration} */ each) => outputOf(each, at) },
    ]).flat(),
  ];
  for (const { what, of } of facts) {
    const parting = ofTexts(where + (what || ", the reply"), of(one), of(other));
    if (parting) return parting;
  }
  return null;
}

/** @param {Iteration} iteration */
function replyOf({ reply }) {
  return reply ?? "";
}

/** @param {Iteration} iteration @param {number} at */
function outputOf({ blocks }, at) {
  const observation = blocks[at]?.observation;
  return [observation?.stdout, observation?.value, observation?.error].filter(Boolean).join("\n");
}

/** @param {Iteration | undefined} iteration */
function startOf(iteration) {
  return iteration ? replyOf(iteration).slice(0, SHOWN_CHARS) : NONE;
}

/** @param {string} where @param {string} one @param {string} other @returns {Parting | null} */
function ofTexts(where, one, other) {
  if (one === other) return null;
  let at = 0;
  while (one[at] === other[at]) at += 1;
  const from = Math.max(0, at - BEFORE_CHARS);
  return { where, texts: both([one, other], (text) => shownFrom(text, from)) };
}

/** @param {string} text @param {number} from */
function shownFrom(text, from) {
  const end = from + SHOWN_CHARS;
  return `${from > 0 ? "…" : ""}${text.slice(from, end)}${text.length > end ? "…" : ""}` || NONE;
}

/** @template T @param {[T, T]} pair @param {(one: T) => string} text @returns {[string, string]} */
function both([one, other], text) {
  return [text(one), text(other)];
}
