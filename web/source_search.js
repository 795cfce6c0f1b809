// @ts-check
/**
 * Search in a source of any size. In: its bytes in UTF-8 and the text to look for, in whatever case. Out: the number of
 * hits, and the hits one after another. Kept is a number for each block; a block is searched again for its hits. No step is
 * longer than the search of one block.
 */

import { bytesOf } from "./source_text.js";

/** @typedef {{byteStart: number, byteEnd: number}} Place */
/** @typedef {ReturnType<typeof openSearch>} Search */
/** @typedef {Place & {block: number, index: number}} Hit `index` is its number within its block */

export const BLOCK_BYTES = 128 << 10;
const MOST_BYTES_A_LETTER = 4;
const SPECIAL = /[\\^$.*+?()[\]{}|/]/g;

/**
 * @param {Blob} blob
 * @param {string} sought not empty
 */
export function openSearch(blob, sought) {
  const blocks = Math.max(1, Math.ceil(blob.size / BLOCK_BYTES));
  /** Hits of each block; -1 before it was searched. */
  const counts = new Int32Array(blocks).fill(-1);
  let searched = 0;
  let total = 0;
  /** @type {{block: number, hits: Place[]} | null} */
  let last = null;

  /** @param {number} block */
  const hitsIn = async (block) => {
    if (last?.block !== block) last = { block, hits: await hitsOf(blob, block, sought) };
    return last.hits;
  };
  /** @param {number} block @param {number} index @returns {Promise<Hit | null>} */
  const hit = async (block, index) => {
    const hits = await hitsIn(block);
    const at = index < 0 ? hits.length + index : index;
    const place = hits[at];
    return place === undefined ? null : { ...place, block, index: at };
  };

  return {
    /** Hits found so far. */
    total: () => total,
    /** Part of the source that was searched, from 0 to 1. */
    share: () => searched / blocks,
    isDone: () => searched === blocks,
    /**
     * Count all hits, from the block of `byte` on, and then from the beginning.
     * @param {number} byte
     * @param {AbortSignal} signal
     * @param {() => void} onProgress
     */
    async run(byte, signal, onProgress) {
      const first = Math.min(blocks - 1, Math.floor(byte / BLOCK_BYTES));
      for (let step = 0; step < blocks; step += 1) {
        const block = (first + step) % blocks;
        const hits = await hitsOf(blob, block, sought);
        if (signal.aborted) return;
        counts[block] = hits.length;
        total += hits.length;
        searched += 1;
        onProgress();
      }
    },
    /** The first hit at or after `byte`, or from the beginning, as far as it was searched. @param {number} byte */
    async from(byte) {
      const block = Math.min(blocks - 1, Math.floor(byte / BLOCK_BYTES));
      if (Number(counts[block]) > 0) {
        const hits = await hitsIn(block);
        const index = hits.findIndex(({ byteStart }) => byteStart >= byte);
        if (index !== -1) return hit(block, index);
      }
      const next = nextBlock(counts, block, 1);
      return next === null ? null : hit(next, 0);
    },
    /** The hit after, or with -1 before, another; round the ends. @param {Hit} from @param {1 | -1} step */
    async next(from, step) {
      const index = from.index + step;
      if (index >= 0 && index < Number(counts[from.block])) return hit(from.block, index);
      const block = nextBlock(counts, from.block, step);
      return block === null ? null : hit(block, step === 1 ? 0 : -1);
    },
    /** Number of a hit, from 1, once all before it are counted. @param {Hit} at */
    numberOf({ block, index }) {
      const before = counts.subarray(0, block);
      return before.includes(-1) ? null : before.reduce((sum, hits) => sum + hits, index + 1);
    },
    /** Hits between two bytes, at most `most`. @param {number} from @param {number} to @param {number} most */
    async between(from, to, most) {
      /** @type {Place[]} */
      const found = [];
      for (let block = Math.floor(from / BLOCK_BYTES); block * BLOCK_BYTES < to && block < blocks; block += 1) {
        const hits = block === last?.block ? last.hits : await hitsOf(blob, block, sought);
        for (const place of hits) {
          if (found.length === most) return found;
          if (place.byteEnd > from && place.byteStart < to) found.push(place);
        }
      }
      return found;
    },
  };
}

/** The next block with hits, round the ends; the same one if there is no other. @param {Int32Array} counts @param {number} from @param {1 | -1} step */
function nextBlock(counts, from, step) {
  for (let ahead = 1; ahead <= counts.length; ahead += 1) {
    const block = (from + step * ahead + counts.length * 2) % counts.length;
    if (Number(counts[block]) > 0) return block;
  }
  return null;
}

/**
 * The hits that begin in a block.
 *
 * @param {Blob} blob
 * @param {number} block
 * @param {string} sought
 * @returns {Promise<Place[]>}
 */
async function hitsOf(blob, block, sought) {
  const from = block * BLOCK_BYTES;
  const overlap = sought.length * MOST_BYTES_A_LETTER;
  const bytes = await bytesOf(blob, from, from + BLOCK_BYTES + overlap);
  const own = Math.min(BLOCK_BYTES, bytes.length);
  let start = 0;
  while (start < own && (Number(bytes[start]) & 0xc0) === 0x80) start += 1; // a character of the block before
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(start));
  const hits = isAscii(bytes) ? inAscii(text, sought) : inUnicode(text, sought, bytes.length - start);
  return hits
    .filter(([byteStart]) => byteStart + start < own)
    .map(([byteStart, byteEnd]) => ({ byteStart: from + start + byteStart, byteEnd: from + start + byteEnd }));
}

/** @param {Uint8Array} bytes */
function isAscii(bytes) {
  let all = 0;
  for (let at = 0; at < bytes.length; at += 1) all |= Number(bytes[at]);
  return all < 0x80;
}

/** @param {string} text @param {string} sought @returns {Array<[number, number]>} */
function inAscii(text, sought) {
  const hits = /** @type {Array<[number, number]>} */ ([]);
  const pattern = patternOf(sought);
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text))
    hits.push([found.index, found.index + found[0].length]);
  return hits;
}

/**
 * Hits in bytes. Where the text is no whole UTF-8, such as at the cut end, its bytes are counted by what was decoded, and a
 * broken character counts as three.
 *
 * @param {string} text
 * @param {string} sought
 * @param {number} size in bytes
 * @returns {Array<[number, number]>}
 */
function inUnicode(text, sought, size) {
  const encoder = new TextEncoder();
  const sized = (/** @type {string} */ part) => encoder.encode(part).length;
  let [chars, at] = [0, 0];
  return inAscii(text, sought).flatMap(([start, end]) => {
    at += sized(text.slice(chars, start));
    const length = sized(text.slice(start, end));
    chars = start;
    return at + length <= size ? [/** @type {[number, number]} */ ([at, at + length])] : [];
  });
}

/** @param {string} sought */
function patternOf(sought) {
  return new RegExp(sought.replace(SPECIAL, "\\$&"), "giu");
}
