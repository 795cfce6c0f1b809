// @ts-check
// Text hash: a short text that stands for a long one within a run.
//
// In: texts, in parts. Out: the number of characters and 53 bits of them. It is no secret, and no proof against an attacker.

/** Number of characters added, and 53 bits of them. */
export function openHash() {
  let chars = 0;
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  return {
    /** @param {string} text */
    add(text, from = 0, to = text.length) {
      const end = Math.min(to, text.length);
      chars += end - from;
      for (let index = from; index < end; index += 1) {
        const unit = text.charCodeAt(index);
        high = Math.imul(high ^ unit, 2654435761);
        low = Math.imul(low ^ unit, 1597334677);
      }
    },
    end() {
      const first = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
      const second = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(first ^ (first >>> 13), 3266489909);
      return `${chars}-${(4294967296 * (2097151 & second) + (first >>> 0)).toString(36)}`;
    },
  };
}
