// @ts-check
/**
 * Completion of Python names at the caret. In: the text, the caret, and the names that there are. Out: the names that begin
 * as the word there, and the text with as much of them as is common. Nothing is evaluated.
 */

const WORD = /[\p{L}_][\p{L}\p{N}_]*$/u;
const NAMES = (
  "and as assert async await break case class continue def del elif else except finally for from global if import in is " +
  "lambda match None nonlocal not or pass raise return True False try while with yield " +
  "abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict dir divmod enumerate eval exec filter " +
  "float format frozenset getattr globals hasattr hash help hex id int isinstance issubclass iter len list locals map max " +
  "memoryview min next object oct open ord pow print property range repr reversed round set setattr slice sorted " +
  "staticmethod str sum super tuple type vars zip Exception IndexError KeyError RuntimeError StopIteration TypeError " +
  "ValueError ZeroDivisionError " +
  "context answer display plot read read_parts tables page_image cite SHOW_VARS"
).split(" ");

/**
 * @param {string} text
 * @param {number} caret
 * @param {readonly string[]} variables
 * @returns {{text: string, caret: number, candidates: string[]} | null} null: there is no name to complete here
 */
export function completed(text, caret, variables) {
  const before = text.slice(0, caret);
  const word = WORD.exec(before)?.[0] ?? "";
  if (word === "" || before[before.length - word.length - 1] === ".") return null;
  const candidates = [...new Set([...variables, ...NAMES])].filter((name) => name.startsWith(word) && name !== word);
  if (candidates.length === 0) return null;
  const common = candidates.reduce(commonStart);
  const isWhole = candidates.length === 1;
  if (common.length === word.length) return { text, caret, candidates: candidates.sort() };
  const next = before + common.slice(word.length);
  return { text: next + text.slice(caret), caret: next.length, candidates: isWhole ? [] : candidates.sort() };
}

/** @param {string} one @param {string} other */
function commonStart(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return one.slice(0, at);
}
