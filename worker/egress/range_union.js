// @ts-check
// Range union: the union of ranges of a text (an interval set).
//
// In: ranges [start, end), in any order, also twice. Out: how much of each was new. Only the ranges of the union are kept,
// so that the cost of one text is bounded by its own length.

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
