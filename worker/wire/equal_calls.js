// @ts-check
// Equal calls: which of the equal calls of one request each one is, from 0. A server that keeps replies tells them apart by
// that, also where a part of the request is asked again.

/**
 * @param {string[]} texts of calls, the same for equal ones
 * @returns {number[]}
 */
export function numbersAmongEqual(texts) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return texts.map((text) => {
    const number = seen.get(text) ?? 0;
    seen.set(text, number + 1);
    return number;
  });
}
