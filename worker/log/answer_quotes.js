// @ts-check
// Answer quotes: the quotations in an answer that came without evidence, as logs of other packages have it.
//
// In: an answer. Out: texts in quotation marks and quoted lines, each once, in their order; as in
// server/rlm_server/command/answer_quotes.py. Whether they stand in a context is not looked at here.

/** Characters of the shortest quotation; a shorter one is likely a name or a word in quotes. */
const MIN_CHARS = 12;
const MAX_QUOTE_CHARS = 4_000;
const MAX_ITEMS = 200;
const QUOTATION =
  /\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201e\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00ab\u00bb]+)\u00bb|(?<![\p{L}\p{N}_])"([^"\n]+)"(?![\p{L}\p{N}_])|^ {0,3}>[ \t]?(\S.*)$/gmu;

/** @param {string} answer */
export function quotations(answer) {
  const texts = [...answer.matchAll(QUOTATION)].map((match) => (match.slice(1).find(Boolean) ?? "").trim());
  const isOne = (/** @type {string} */ text) => {
    const { length } = [...text];
    return length >= MIN_CHARS && length <= MAX_QUOTE_CHARS;
  };
  return [...new Set(texts.filter(isOne))].slice(0, MAX_ITEMS);
}
