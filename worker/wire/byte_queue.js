// @ts-check
// Byte queue: bytes that were written and are not yet taken.
//
// In: bytes, in pieces of any length. Out: the same bytes in the same order, in pieces of the length asked for.

export const NO_BYTES = new Uint8Array(0);

/** `take` copies nothing that it can hand out as a view. */
export function byteQueue() {
  /** @type {Uint8Array[]} */
  const parts = [];
  let offset = 0;
  let total = 0;

  /** @param {number} most */
  const shift = (most) => {
    const view = parts[0].subarray(offset, offset + most);
    offset += view.length;
    if (offset === parts[0].length) {
      parts.shift();
      offset = 0;
    }
    total -= view.length;
    return view;
  };
  return {
    size: () => total,
    /** @param {Uint8Array} bytes */
    add(bytes) {
      if (!(bytes instanceof Uint8Array)) throw new TypeError("an answer is written as Uint8Array");
      if (bytes.length === 0) return;
      parts.push(bytes);
      total += bytes.length;
    },
    /** @param {number} most */
    take(most) {
      const length = Math.min(most, total);
      if (length === 0) return NO_BYTES;
      const first = shift(length);
      if (first.length === length) return first;
      const whole = new Uint8Array(length);
      whole.set(first);
      for (let at = first.length; at < length; ) {
        const view = shift(length - at);
        whole.set(view, at);
        at += view.length;
      }
      return whole;
    },
  };
}
