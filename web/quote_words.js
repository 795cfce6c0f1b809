// @ts-check
/**
 * Words for a quote of an answer: its status, and its place. In: an item of evidence. Out: text. Nothing is drawn here.
 */

import { count } from "./format.js";

/** @typedef {import("/rlm/rlm.js").RLMEvidence} RLMEvidence */

/** @type {Record<RLMEvidence["status"], {mark: string, words: string}>} */
export const STATUSES = {
  found: { mark: "✓", words: "in the context" },
  elsewhere: { mark: "✓", words: "in the context, in another source than the model named" },
  stitched: { mark: "≈", words: "its parts stand apart" },
  changed: { mark: "≈", words: "not word for word" },
  missing: { mark: "✗", words: "not in the context" },
};

/** Source and place in words: "lease.txt, line 3". @param {RLMEvidence} item */
export function placeOf({ source, page, sheet, line }) {
  if (page !== null) return `${source}, page ${count(page)}`;
  if (sheet !== null) return `${source}, sheet “${sheet}”`;
  return line === null ? `${source}` : `${source}, line ${count(line)}`;
}
