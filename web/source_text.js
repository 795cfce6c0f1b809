// @ts-check
/**
 * Text of a source, of any size, by its bytes. In: a Blob in UTF-8. Out: its parts, of which only those that are asked for
 * are read, and its lines by number. Nothing is drawn; no step of it is longer than reading `BLOCK_BYTES`.
 */

/** @typedef {{at: number, from: number, to: number, bytes: Uint8Array}} Part `at` is its number in the row of parts */
/** @typedef {{part: (at: number) => Promise<Part>, parts: number, partOf: (byte: number) => number, size: number}} SourceText */
/** @typedef {ReturnType<typeof openLines>} Lines */

export const PART_BYTES = 16 << 10;
const TO_LINE_END_BYTES = 4 << 10;
const BLOCK_BYTES = 1 << 20;
const NEWLINE = 10;

/**
 * A source as a row of parts of about `PART_BYTES`, which end at line ends, or in a long line between two characters.
 *
 * @param {Blob} blob
 * @returns {SourceText}
 */
export function openText(blob) {
  const parts = Math.max(1, Math.ceil(blob.size / PART_BYTES));
  return {
    parts,
    size: blob.size,
    partOf: (byte) => Math.min(parts - 1, Math.max(0, Math.floor(byte / PART_BYTES))),
    async part(at) {
      const nominal = at * PART_BYTES;
      const read = await bytesOf(blob, nominal, nominal + PART_BYTES + TO_LINE_END_BYTES + 4);
      const from = at === 0 ? 0 : startIn(read, 0);
      const to = at === parts - 1 ? read.length : startIn(read, PART_BYTES);
      return { at, from: nominal + from, to: nominal + to, bytes: read.subarray(from, Math.max(from, to)) };
    },
  };
}

/** Where a part begins that should at `nominal`: after the line end, else at a character. @param {Uint8Array} bytes @param {number} nominal */
function startIn(bytes, nominal) {
  const end = bytes.indexOf(NEWLINE, nominal);
  if (end !== -1 && end < nominal + TO_LINE_END_BYTES) return end + 1;
  let at = Math.min(nominal, bytes.length);
  while (at < bytes.length && (Number(bytes[at]) & 0xc0) === 0x80) at += 1;
  return at;
}

/** @type {WeakMap<Blob, Lines>} */
const known = new WeakMap();

/** The lines of a source; what was counted is kept. @param {Blob} blob */
export function linesOf(blob) {
  const lines = known.get(blob) ?? openLines(blob);
  known.set(blob, lines);
  return lines;
}

/** @param {Blob} blob */
function openLines(blob) {
  /** Line ends before each block, as far as they are counted. */
  const before = [0];
  const blocks = Math.ceil(blob.size / BLOCK_BYTES);
  let last = Promise.resolve();

  /** @param {(counted: number) => boolean} isEnough @param {AbortSignal} [signal] */
  const count = (isEnough, signal) => {
    last = last.then(async () => {
      while (before.length <= blocks && !isEnough(before.length - 1)) {
        signal?.throwIfAborted();
        const at = (before.length - 1) * BLOCK_BYTES;
        const bytes = await bytesOf(blob, at, at + BLOCK_BYTES);
        before.push(Number(before.at(-1)) + endsIn(bytes));
      }
    });
    const counted = last;
    last = last.catch(() => {});
    return counted;
  };

  return {
    /** Number of the line that a byte stands in, from 1. @param {number} byte @param {AbortSignal} [signal] */
    async numberAt(byte, signal) {
      const block = Math.floor(byte / BLOCK_BYTES);
      await count((counted) => counted >= block, signal);
      const bytes = await bytesOf(blob, block * BLOCK_BYTES, byte);
      return Number(before[block]) + endsIn(bytes) + 1;
    },
    /**
     * The bytes of a line, without its end; `null` where there are not that many.
     * @param {number} number from 1
     * @param {AbortSignal} [signal]
     * @returns {Promise<{byteStart: number, byteEnd: number} | null>}
     */
    async placeOf(number, signal) {
      const ends = number - 1;
      await count((counted) => Number(before[counted]) > ends, signal);
      const later = before.findIndex((each) => each > ends);
      const block = Math.max(0, (later === -1 ? before.length - 1 : later) - 1);
      const at = block * BLOCK_BYTES;
      const bytes = await bytesOf(blob, Math.max(0, at - 1), at + BLOCK_BYTES);
      // the line may begin with the block, right after the end of the one before
      let from = block === 0 ? 0 : 1;
      for (let left = ends - Number(before[block]); left > 0; left -= 1) {
        const end = bytes.indexOf(NEWLINE, from);
        if (end === -1) return null;
        from = end + 1;
      }
      const byteStart = Math.max(0, at - 1) + from;
      if (byteStart >= blob.size && number > 1) return null;
      return { byteStart, byteEnd: await lineEnd(blob, byteStart) };
    },
    /** Lines, where all are counted. */
    total: () => (before.length > blocks ? Number(before[blocks]) + 1 : null),
  };
}

/** @param {Blob} blob @param {number} from */
async function lineEnd(blob, from) {
  const bytes = await bytesOf(blob, from, from + PART_BYTES);
  const end = bytes.indexOf(NEWLINE);
  return end === -1 ? from + bytes.length : from + end;
}

/** @param {Uint8Array} bytes */
function endsIn(bytes) {
  let ends = 0;
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === NEWLINE) ends += 1;
  return ends;
}

/** @param {Blob} blob @param {number} from @param {number} to */
export async function bytesOf(blob, from, to) {
  return new Uint8Array(await blob.slice(from, to).arrayBuffer());
}
