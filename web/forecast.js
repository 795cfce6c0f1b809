// @ts-check
/**
 * Forecast: the tokens and the cost that a run is likely to take by its root model. In: sizes in characters, and prices. Out:
 * a range. It is an estimate: a reply may be longer, and sub-calls depend on the code that the model writes.
 */

/** Tokens of the system prompt, by which tests/unit/test_forecast.py holds it. */
export const PROMPT_TOKENS = 1_500;
const CHARS_PER_TOKEN = 4;
const DESCRIPTION_CHARS = 1_500;
/** Iterations that the range covers; an easy question takes no more. */
export const FIRST_ITERATIONS = 3;
/** Tokens of a reply with its code, and of the output that it is shown: few, and many. */
const REPLY = { few: 150, many: 900 };
const OUTPUT = { few: 100, many: 3_000 };

/** @typedef {{input: number, output: number}} Tokens */

/**
 * @param {{questionChars: number, contextChars: number, maxIterations: number, maxOutputChars: number}} run
 * @returns {{low: Tokens, high: Tokens, iterations: number}}
 */
export function forecast({ questionChars, contextChars, maxIterations, maxOutputChars }) {
  const iterations = Math.max(1, Math.min(FIRST_ITERATIONS, maxIterations));
  const described = Math.min(contextChars, DESCRIPTION_CHARS);
  const first = PROMPT_TOKENS + Math.ceil((questionChars + described) / CHARS_PER_TOKEN);
  const most = Math.min(OUTPUT.many, Math.ceil(maxOutputChars / CHARS_PER_TOKEN));
  const of = (/** @type {number} */ reply, /** @type {number} */ output) => ({
    input: iterations * first + ((iterations * (iterations - 1)) / 2) * (reply + output),
    output: iterations * reply,
  });
  return { low: of(REPLY.few, Math.min(OUTPUT.few, most)), high: of(REPLY.many, most), iterations };
}

/** US dollars. @param {Tokens} tokens @param {Tokens} price per million tokens */
export function costOf(tokens, price) {
  return (tokens.input * price.input + tokens.output * price.output) / 1_000_000;
}

/** Two significant digits: an estimate has no more. @param {number} value */
export function rounded(value) {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.round(value / step) * step;
}
