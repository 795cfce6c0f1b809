// @ts-check
// Range union: the union of ranges of a text (an interval set).
//
// In: ranges [start, end), in any order, also twice. Out: how much of each was new. Only the ranges of the union are kept,
// so that the cost of one text is bounded by its own length.

/** @typedef {import("../wire/protocol.js").Span} Span */

export function openRangeUnion() {
  /** @type {number[]} sorted, apart from one another */
  const starts = [];
  /** @type {number[]} */
  const ends = [];

  /**
   * The first range that ends at or behind `at`.
   * @param {number} at
   */
  const firstAt = (at) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    /**
     * Add a range; returns how much of it was not covered before.
     * @param {number} start
     * @param {number} end
     */
    add(start, end) {
      const first = firstAt(start);
      let [from, to, known, after] = [start, end, 0, first];
      for (; after < starts.length && starts[after] <= end; after += 1) {
        known += Math.max(0, Math.min(end, ends[after]) - Math.max(start, starts[after]));
        from = Math.min(from, starts[after]);
        to = Math.max(to, ends[after]);
      }
      starts.splice(first, after - first, from);
      ends.splice(first, after - first, to);
      return end - start - known;
    },
    /**
     * The parts of a range that are not covered.
     * @param {number} start
     * @param {number} end
     * @returns {Array<[number, number]>}
     */
    gaps(start, end) {
      /** @type {Array<[number, number]>} */
      const open = [];
      let at = start;
      for (let index = firstAt(start); index < starts.length && starts[index] < end; index += 1) {
        if (starts[index] > at) open.push([at, starts[index]]);
        at = Math.max(at, ends[index]);
      }
      if (at < end) open.push([at, end]);
      return open;
    },
    /** The ranges of the union, in order. @returns {Array<[number, number]>} */
    ranges: () => starts.map((start, index) => [start, ends[index]]),
  };
}

/** The same for spans of several contexts, distinguished by their names. */
export function openSpanUnion() {
  /** @type {Map<string, ReturnType<typeof openRangeUnion>>} */
  const unions = new Map();

  /**
   * @param {typeof unions} all
   * @param {string} name
   */
  const unionIn = (all, name) => {
    const union = all.get(name) ?? openRangeUnion();
    all.set(name, union);
    return union;
  };

  return {
    /**
     * Add spans; returns how many of their characters were new.
     * @param {Span[]} spans
     */
    add: (spans) => spans.reduce((sum, { name, start, end }) => sum + unionIn(unions, name).add(start, end), 0),
    /**
     * How many characters of spans, which may overlap, would be new.
     * @param {Span[]} spans
     */
    gain(spans) {
      /** @type {typeof unions} */
      const more = new Map();
      let sum = 0;
      for (const { name, start, end } of spans)
        for (const [from, upTo] of unionIn(unions, name).gaps(start, end)) sum += unionIn(more, name).add(from, upTo);
      return sum;
    },
  };
}
