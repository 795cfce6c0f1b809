// @ts-check
// Window: whether a context would fit into one call of the root model, by its size alone.
//
// In: a job, and where the size of the window is known from. Out: a notice that offers one direct call, or that says by
// which number one is judged.

import { MOST_SHARE, estimate } from "../wire/context_size.js";

/** @typedef {import("../wire/protocol.js").StartJob} StartJob */
/** @typedef {import("../wire/protocol.js").JobContext} JobContext */
/** @typedef {"chosen" | "listed" | "assumed"} Known */

/** @type {Record<Known, string>} */
const SOURCES = {
  chosen: "by windowTokens",
  listed: "by its provider's list",
  assumed: "assumed, as its provider tells none: windowTokens sets it",
};

/**
 * @param {StartJob} job
 * @param {{known: Known, takesImages: boolean}} model
 * @returns {import("../wire/types.d.ts").HostNotice[]}
 */
export function windowNotices({ contexts, limits, direct, model }, { known, takesImages }) {
  const window = Number(limits.window_tokens);
  const size = `${window.toLocaleString("en")} tokens (${SOURCES[known]})`;
  const name = model === null ? "the default model" : model;
  if (direct) return [{ code: "fits_window", text: `one direct call is made; the window of ${name} is ${size}.` }];
  if (contexts.length === 0) return [];
  const { tokens, pictures } = estimate(contexts.map(({ name, data }) => ({ name, size: sizeOf(data) })));
  if (tokens > window * MOST_SHARE || (pictures > 0 && !takesImages)) return [];
  const about = Math.max(1, Math.round(tokens)).toLocaleString("en");
  return [
    {
      code: "fits_window",
      text: `the context, about ${about} tokens, fits into the window of ${name}, ${size}: one direct call over it (--direct, direct: true) costs less, and is often better on an easy question.`,
    },
  ];
}

/** @param {JobContext["data"]} data */
function sizeOf(data) {
  return data instanceof Blob ? data.size : data.byteLength;
}
