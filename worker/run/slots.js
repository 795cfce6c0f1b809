// @ts-check
// Slots: how many child runs of a tree are at work at the same time.
//
// In: runs that begin and end, by their depth. Out: a slot for each, at once or when one is free. A run that only waits
// for its own children leaves its slot to them; the deepest comes first, so that a run ends before another begins.

/**
 * @param {number} most
 * @returns {import("./types.d.ts").Slots}
 */
export function openSlots(most) {
  let free = most;
  /** @type {Array<{depth: number, enter: (value?: undefined) => void}>} */
  const waiting = [];
  return {
    /**
     * @param {number} depth
     * @returns {Promise<void>}
     */
    async enter(depth) {
      if (free === 0) return new Promise((enter) => waiting.push({ depth, enter }));
      free -= 1;
    },
    leave() {
      const deepest = Math.max(...waiting.map(({ depth }) => depth));
      const first = waiting.findIndex(({ depth }) => depth === deepest);
      const [next] = waiting.splice(Math.max(0, first), 1);
      if (next) next.enter();
      else free += 1;
    },
  };
}
