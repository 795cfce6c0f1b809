// @ts-check
// Evidence check: the places that a worker claims for its quotes, compared with the text that the page holds.
//
// In: evidence as the worker reports it, which is untrusted, and the contexts. Out: the same; where the page holds the text
// it says so, and a quote that does not stand at its place is missing. Only the bytes at that place are read, of a file of
// any size. Text of a document, and values of JSON, exist in the worker alone, and are its word.

/**
 * @typedef {import("../wire/protocol.js").Evidence} Evidence
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 */

const MAX_PLACE_BYTES = 1 << 20;
const BLANKS = /[\s\u0085]+/gu;
const HYPHENS = /(?<=\p{L})-(?=\p{L})/gu;
/** Typographic marks and the plain ones that they are levelled to, as in rlm_core/quotes.py. @type {[RegExp, string][]} */
const MARKS = [
  [/[\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033]/g, '"'],
  [/[\u2018\u2019\u201a\u201b\u2032\u00b4]/g, "'"],
  [/[\u2010-\u2015\u2212]/g, "-"],
  [/\u00ad|\u200b|\u200c|\u200d|\u2060|\ufeff|\ufffe/g, ""],
  [/\u2026/g, "..."],
];
const NOT_THERE = "the page does not find it at the place that was reported";

/**
 * @param {Evidence[]} evidence
 * @param {JobContext[]} contexts
 * @returns {Promise<Evidence[]>}
 */
export function checkedEvidence(evidence, contexts) {
  return Promise.all(evidence.map((item) => checkedItem({ ...item, checked_by: "worker" }, contexts)));
}

/**
 * @param {Evidence} item
 * @param {JobContext[]} contexts
 * @returns {Promise<Evidence>}
 */
async function checkedItem(item, contexts) {
  const { quote, source, status, byte_start: start, byte_end: end } = item;
  const context = contexts.find(({ name, type }) => name === source && (type === "text" || type === "file"));
  if (!context || start === null || end === null || (status !== "found" && status !== "elsewhere")) return item;
  const text = await textAt(context.data, start, end);
  if (text !== null && needle(text) === needle(quote)) return { ...item, checked_by: "host" };
  const nowhere = { start: null, end: null, byte_start: null, byte_end: null, line: null };
  return { ...item, ...nowhere, status: "missing", difference: NOT_THERE };
}

/**
 * @param {JobContext["data"]} data
 * @param {number} start in bytes of the text, which begins after a byte order mark
 * @param {number} end
 * @returns {Promise<string | null>} null where there is no such text
 */
async function textAt(data, start, end) {
  if (!(start >= 0 && start < end && end - start <= MAX_PLACE_BYTES)) return null;
  try {
    const mark = (await bytesAt(data, 0, 3)).join() === "239,187,191" ? 3 : 0;
    return new TextDecoder("utf-8", { fatal: true }).decode(await bytesAt(data, start + mark, end + mark));
  } catch {
    return null; // the file is gone, or is no UTF-8
  }
}

/**
 * @param {JobContext["data"]} data
 * @param {number} start
 * @param {number} end
 */
async function bytesAt(data, start, end) {
  const part = data.slice(start, end);
  return new Uint8Array(part instanceof Blob ? await part.arrayBuffer() : part);
}

/** @param {string} quote */
function needle(quote) {
  return level(quote)
    .replace(/-+$/, "")
    .replace(/^-+(?=\p{L})/u, "");
}

/**
 * `text` without white space, division of words and typographic marks.
 * @param {string} text
 */
export function level(text) {
  const squeezed = MARKS.reduce((so, [mark, plain]) => so.replace(mark, plain), text.replace(BLANKS, ""));
  return squeezed.normalize("NFKC").replace(BLANKS, "").replace(HYPHENS, "");
}
