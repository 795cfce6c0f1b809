// @ts-check
// Common substrings: the parts of a long text that another text contains, byte for byte.
//
// In: the bytes of the long text, once; then the bytes of others. Out: for each of those the common pieces of at least
// LEAST bytes: each byte that belongs to such a piece is inside a reported one, each as long as it can be. Where
// the same stands at several offsets of the long text, one of them is reported.
//
// The index holds a gram (GRAM bytes) of every STRIDE, so that each piece of LEAST bytes holds a whole one. Its hits are
// compared byte by byte. Its one gap: of grams that share a hash CHAIN are kept, so that a short piece may be missed
// whose only gram stands in the text more often than that.

/** @typedef {{from: number, to: number, at: number}} Piece `from` and `to` in the other text, `at` in the long one */
/**
 * Grams by their hash: `heads` and `nexts` are chains of numbers of grams, from 1, above which a head has the length of its
 * chain, one or two grams as a mean; `seen` has a bit for four more bits of the hash, and is small enough to be looked at
 * for each byte of a text.
 * @typedef {{bytes: Uint8Array, heads: Int32Array, nexts: Int32Array, seen: Uint8Array, shift: number}} Index
 */

export const LEAST = 32;
const GRAM = 12;
const STRIDE = LEAST - GRAM + 1;
const CHAIN = 32;
/** Bytes by which a piece may reach back into the one before it. */
const OVERLAP = 1_024;
const STEP = 1 << 14;
const BASE = 0x01000193;
const MIX = 0x9e3779b1;
const LEAST_BITS = 4;
const MOST_BITS = 24;
/** A head's bits for a number: enough for all grams of 256 MB. */
const NUMBER_BITS = 24;
const NUMBER = (1 << NUMBER_BITS) - 1;

const OUT = Array.from({ length: GRAM - 1 }).reduce((/** @type {number} */ power) => Math.imul(power, BASE), 1);

/**
 * @param {Uint8Array} bytes kept, not copied
 * @returns {Generator<void, Index, void>}
 */
export function* indexOf(bytes) {
  const grams = bytes.length < GRAM ? 0 : Math.floor((bytes.length - GRAM) / STRIDE) + 1;
  const bits = Math.min(MOST_BITS, Math.max(LEAST_BITS, Math.floor(Math.log2(grams + 1))));
  const shift = 32 - bits;
  const heads = new Int32Array(1 << bits);
  const nexts = new Int32Array(grams);
  const seen = new Uint8Array(2 << bits);
  for (let gram = 0; gram < grams; gram += 1) {
    const mixed = Math.imul(hashAt(bytes, gram * STRIDE), MIX);
    const slot = mixed >>> shift;
    seen[mixed >>> (shift - 1)] |= bitOf(mixed, shift);
    const head = heads[slot];
    const length = head >>> NUMBER_BITS;
    if (length < CHAIN) {
      nexts[gram] = head & NUMBER;
      heads[slot] = ((length + 1) << NUMBER_BITS) | (gram + 1);
    }
    if (gram % STEP === STEP - 1) yield;
  }
  return { bytes, heads, nexts, seen, shift };
}

/**
 * @param {Index} index
 * @param {Uint8Array} text
 * @returns {Generator<void, Piece[], void>} in the order of their ends
 */
export function* piecesIn(index, text) {
  const { heads, nexts, seen, shift } = index;
  /** @type {Piece[]} */
  const pieces = [];
  const last = text.length - GRAM;
  // The stretch of the text that the latest pieces cover. A piece that reaches beyond its beginning shows a gram
  // near that, one that reaches beyond its end near this; the bytes between are skipped.
  let from = 0;
  let to = 0;
  let hash = last < 0 ? 0 : hashAt(text, 0);
  for (let at = 0; at <= last; ) {
    const mixed = Math.imul(hash, MIX);
    const slot = mixed >>> shift;
    const isSeen = (seen[mixed >>> (shift - 1)] & bitOf(mixed, shift)) !== 0;
    for (let gram = isSeen ? heads[slot] & NUMBER : 0; gram !== 0; gram = nexts[gram - 1]) {
      const piece = pieceAround(index.bytes, (gram - 1) * STRIDE, text, { at, from, to });
      if (piece === null) continue;
      while (pieces.length > 0 && isInside(pieces[pieces.length - 1], piece)) pieces.pop();
      pieces.push(piece);
      from = to > 0 && piece.from <= to ? Math.min(from, piece.from) : piece.from;
      to = Math.max(to, piece.to);
    }
    const next = at + 1 >= from + STRIDE && at + 1 < to - LEAST + 1 ? to - LEAST + 1 : at + 1;
    if (Math.floor(next / STEP) !== Math.floor(at / STEP)) yield;
    if (next > last) break;
    hash = next === at + 1 ? rolled(hash, text[at], text[at + GRAM]) : hashAt(text, next);
    at = next;
  }
  return pieces;
}

/**
 * @param {number} mixed
 * @param {number} shift
 */
function bitOf(mixed, shift) {
  return 1 << ((mixed >>> (shift - 4)) & 7);
}

/**
 * @param {Piece} one
 * @param {Piece} other
 */
function isInside(one, other) {
  return one.from >= other.from && one.to <= other.to;
}

/**
 * The piece through the gram at `offset` of the long text and at `at` of the other, if it covers more than [from, to).
 * @param {Uint8Array} bytes
 * @param {number} offset
 * @param {Uint8Array} text
 * @param {{at: number, from: number, to: number}} known
 * @returns {Piece | null}
 */
function pieceAround(bytes, offset, text, { at, from, to }) {
  const isCovered = at < to;
  if (isCovered && !reaches(bytes, offset - at, text, { at, from, to })) return null;
  const end = at + GRAM;
  for (let here = at; here < end; here += 1) if (bytes[offset - at + here] !== text[here]) return null;
  const first = Math.max(0, isCovered ? Math.min(from, at) - OVERLAP : to - OVERLAP, at - offset);
  let start = at;
  while (start > first && bytes[offset - at + start - 1] === text[start - 1]) start -= 1;
  const most = Math.min(text.length, bytes.length - offset + at);
  let stop = end;
  while (stop < most && bytes[offset - at + stop] === text[stop]) stop += 1;
  if (stop - start < LEAST || (isCovered && start >= from && stop <= to)) return null;
  return { from: start, to: stop, at: offset - at + start };
}

/**
 * Whether a piece on this diagonal may cover the byte before `from` or the one at `to`.
 * @param {Uint8Array} bytes
 * @param {number} offset
 * @param {Uint8Array} text
 * @param {{at: number, from: number, to: number}} stretch
 */
function reaches(bytes, offset, text, { at, from, to }) {
  const before = from - 1;
  if (at < from + STRIDE && before >= 0 && offset + before >= 0 && bytes[offset + before] === text[before]) return true;
  return at > to - LEAST && to < text.length && bytes[offset + to] === text[to];
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function hashAt(bytes, at) {
  let hash = 0;
  for (let index = at; index < at + GRAM; index += 1) hash = (Math.imul(hash, BASE) + bytes[index]) | 0;
  return hash;
}

/**
 * @param {number} hash
 * @param {number} gone
 * @param {number} come
 */
function rolled(hash, gone, come) {
  return (Math.imul(hash - Math.imul(gone, OUT), BASE) + come) | 0;
}
