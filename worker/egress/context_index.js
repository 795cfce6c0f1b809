// @ts-check
// Context index: the contexts of a run as one row of bytes, in which pieces of other texts are looked up.
//
// In: contexts as a job has them. Out: for a text, the spans of the contexts that it contains: name, and position in
// characters as Python counts them and in bytes. Bytes contexts, and files that are no UTF-8, are counted in bytes. A
// context beyond MAX_BYTES, or that cannot be read, is left out, and listed.

import { LEAST, indexOf, piecesIn } from "./common_substrings.js";
import { takeKept } from "./file_bytes.js";
import { MAX_TEXT_FILE_BYTES } from "../wire/protocol.js";
import { yieldToPage, inSlices } from "../time/time_slices.js";
import { release } from "../wire/buffers.js";

/**
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("../wire/protocol.js").Span} Span
 * @typedef {{name: string, from: number, to: number, isText: boolean, before: number, size: number}} Part
 * @typedef {{index: import("./common_substrings.js").Index, parts: Part[], marks: Uint32Array, hasEscapes: boolean}} ContextIndex
 * @typedef {{name: string, why: string}} Unsearched
 */

/** Bytes of all contexts together that are searched. */
export const MAX_BYTES = MAX_TEXT_FILE_BYTES;
const READ_AT_ONCE = 64;
const READ_BYTES = 4 << 20;
const BLOCK = 4_096;
const BLOCKS_AT_ONCE = 64;
const WINDOW = 1 << 20;
const BACKSLASH = 0x5c;
const ONES = 0x01010101;
const HIGH_BITS = ONES << 7;
const BACKSLASHES = ONES * BACKSLASH;

/**
 * Which contexts are too large to be searched, in their order.
 * @param {JobContext[]} contexts
 * @returns {Unsearched[]}
 */
export function beyondMeasure(contexts) {
  let room = MAX_BYTES;
  return contexts.flatMap((context) => {
    const size = sizeOf(context);
    if (size > room)
      return [{ name: context.name, why: `${size} bytes, and ${room} of ${MAX_BYTES} are left to search` }];
    room -= size;
    return [];
  });
}

/**
 * @param {JobContext[]} contexts
 * @returns {Promise<ContextIndex & {unsearched: Unsearched[]}>}
 */
export async function indexContexts(contexts) {
  const unsearched = beyondMeasure(contexts);
  const left = new Set(unsearched.map(({ name }) => name));
  const searched = contexts.filter(({ name }) => !left.has(name));
  const bytes = await readAll(searched).catch(() => readEach(searched, unsearched));
  const gone = new Set(unsearched.map(({ name }) => name));
  const { marks, hasEscapes, isAscii } = await inSlices(marksOf(bytes));
  const parts = await inSlices(partsOf(bytes, { marks, isAscii }, searched));
  const index = await inSlices(indexOf(bytes));
  const readable = parts.filter(({ name }) => !gone.has(name));
  return { index, parts: readable, marks, hasEscapes, unsearched };
}

/** @param {JobContext} jobContext */
function sizeOf({ data }) {
  return data instanceof Blob ? data.size : data.byteLength;
}

/** Bytes of all contexts. @param {JobContext[]} contexts */
export function sizeOfAll(contexts) {
  return contexts.reduce((sum, context) => sum + sizeOf(context), 0);
}

/**
 * What was kept of small files, and of others many at once: of ten thousand each read alone would take its time. Rejects
 * when one of them cannot be read.
 * @param {JobContext[]} contexts
 */
async function readAll(contexts) {
  const [only] = contexts;
  if (contexts.length === 1 && !(only.data instanceof Blob)) return new Uint8Array(only.data); // the job's own bytes
  const bytes = new Uint8Array(sizeOfAll(contexts));
  /** @type {JobContext["data"][]} */
  let unread = [];
  let [from, to] = [0, 0]; // of those that are unread
  const copy = async () => {
    await copyTo(bytes, from, new Blob(unread));
    unread = [];
  };
  for (const [number, context] of contexts.entries()) {
    const known = takeKept(context.data);
    if (unread.length > 0 && (known !== null || unread.length >= READ_AT_ONCE)) await copy();
    if (known !== null) bytes.set(known, to);
    else if (unread.push(context.data) === 1) from = to;
    to += sizeOf(context);
    if (number % READ_AT_ONCE === 0) await yieldToPage();
  }
  await copy();
  return bytes;
}

/**
 * One after another; those that cannot be read are left empty, and listed.
 * @param {JobContext[]} contexts
 * @param {Unsearched[]} unsearched
 */
async function readEach(contexts, unsearched) {
  const bytes = new Uint8Array(sizeOfAll(contexts));
  let from = 0;
  for (const context of contexts) {
    const to = from + sizeOf(context);
    try {
      await copyTo(bytes, from, new Blob([context.data]));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      bytes.fill(0, from, to);
      unsearched.push({ name: context.name, why: `it cannot be read any more (${error.name})` });
    }
    from = to;
  }
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {Blob} data
 */
async function copyTo(bytes, from, data) {
  for (let at = 0; at < data.size; at += READ_BYTES) {
    const part = await data.slice(at, at + READ_BYTES).arrayBuffer();
    bytes.set(new Uint8Array(part), from + at);
    release(part);
    await yieldToPage();
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {{marks: Uint32Array, isAscii: boolean}} counted
 * @param {JobContext[]} contexts
 * @returns {Generator<void, Part[], void>}
 */
function* partsOf(bytes, { marks, isAscii }, contexts) {
  /** @type {Part[]} */
  const parts = [];
  let from = 0;
  for (const context of contexts) {
    const to = from + sizeOf(context);
    const isFileOfText = context.type === "file" && (isAscii || (yield* isUtf8(bytes.subarray(from, to))));
    const isText = isFileOfText || (context.type !== "file" && context.type !== "bytes");
    const before = isText ? charsAt(bytes, marks, from) : from;
    parts.push({
      name: context.name,
      from,
      to,
      isText,
      before,
      size: (isText ? charsAt(bytes, marks, to) : to) - before,
    });
    from = to;
    yield;
  }
  return parts;
}

/**
 * Whether `bytes` are UTF-8, as `TextDecoder` says, which would leave the text of all of them to be collected late.
 * @param {Uint8Array} bytes
 * @returns {Generator<void, boolean, void>}
 */
function* isUtf8(bytes) {
  let at = 0;
  for (let window = WINDOW; at < bytes.length; window += WINDOW) {
    const last = Math.min(window, bytes.length);
    while (at < last) {
      const length = bytes[at] < 0x80 ? 1 : letterAt(bytes, at);
      if (length === 0) return false;
      at += length;
    }
    yield;
  }
  return true;
}

/**
 * Length of the letter beyond ASCII at `at`; 0 where there is none, it is cut, longer than it must be, or half of a pair.
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function letterAt(bytes, at) {
  const lead = bytes[at];
  const length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[at + 1];
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (!(second >= least && second <= most)) return 0;
  for (let inside = 2; inside < length; inside += 1) if (isLead(bytes[at + inside])) return 0;
  return length;
}

// --------------------------------------------------------------------------------------------------------- characters

/** @param {number} byte */
function isLead(byte) {
  return (byte & 0xc0) !== 0x80;
}

/** How many characters begin in `bytes`. */
export function charsIn(/** @type {Uint8Array} */ bytes, from = 0, to = bytes.length) {
  let count = 0;
  for (let at = from; at < to; at += 1) if (isLead(bytes[at])) count += 1;
  return count;
}

/**
 * How many characters begin before each block, whether there is a backslash in any, and whether all bytes are ASCII.
 * @param {Uint8Array} bytes from the beginning of a buffer
 * @returns {Generator<void, {marks: Uint32Array, hasEscapes: boolean, isAscii: boolean}, void>}
 */
function* marksOf(bytes) {
  const marks = new Uint32Array(Math.floor(bytes.length / BLOCK) + 1);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const tail = bytes.subarray(words.length * 4);
  let escapes = tail.includes(BACKSLASH) ? 1 : 0;
  let high = tail.reduce((all, byte) => all | byte, 0);
  for (let block = 0; block < marks.length; block += 1) {
    const last = Math.min(((block + 1) * BLOCK) / 4, words.length);
    let inside = 0; // bytes inside a character; four at a time are looked at
    for (let at = (block * BLOCK) / 4; at < last; at += 1) {
      const word = words[at];
      const other = word ^ BACKSLASHES; // a byte of zeros is a backslash
      escapes |= (other - ONES) & ~other & HIGH_BITS;
      if ((word & HIGH_BITS) === 0) continue;
      high |= word;
      inside += Math.imul((word >>> 7) & ~(word >>> 6) & ONES, ONES) >>> 24;
    }
    if (block + 1 < marks.length) marks[block + 1] = marks[block] + BLOCK - inside;
    if (block % BLOCKS_AT_ONCE === 0) yield;
  }
  return { marks, hasEscapes: escapes !== 0, isAscii: (high & HIGH_BITS) === 0 };
}

/**
 * @param {Uint8Array} bytes
 * @param {Uint32Array} marks
 * @param {number} at
 */
function charsAt(bytes, marks, at) {
  const block = Math.floor(at / BLOCK);
  return marks[block] + charsIn(bytes, block * BLOCK, at);
}

// -------------------------------------------------------------------------------------------------------------- spans

/**
 * The spans of the contexts that `text` contains: as it stands there, and where escapes are written out or undone in one
 * of them ("\n" in JSON and in `repr`).
 * @param {ContextIndex} contextIndex
 * @param {string} text
 * @param {Uint8Array} encoded the same in UTF-8
 * @returns {Generator<void, Span[], void>} in order, apart from one another
 */
export function* spansIn(contextIndex, text, encoded) {
  /** @type {Span[]} */
  const spans = [];
  for (const bytes of [encoded, ...otherForms(contextIndex, text)]) {
    for (let at = 0; at === 0 || at + LEAST <= bytes.length; at += WINDOW - LEAST + 1) {
      const pieces = yield* piecesIn(contextIndex.index, bytes.subarray(at, at + WINDOW));
      for (const piece of pieces) spans.push(...spansOf(contextIndex, piece.at, piece.at + piece.to - piece.from));
      yield;
    }
  }
  return united(spans);
}

/**
 * @param {ContextIndex} contextIndex
 * @param {string} text
 * @returns {Uint8Array[]}
 */
function otherForms({ hasEscapes }, text) {
  const encoder = new TextEncoder();
  const forms = text.includes("\\") ? [unescaped(text)] : [];
  if (hasEscapes) forms.push(JSON.stringify(text).slice(1, -1));
  return forms.filter((form) => form !== text).map((form) => encoder.encode(form));
}

const CONTROLS = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
]);

/** @param {string} text */
function unescaped(text) {
  return text.replace(/\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|(.))/gis, (_, wide, narrow, letter) =>
    letter === undefined ? String.fromCharCode(Number.parseInt(wide ?? narrow, 16)) : (CONTROLS.get(letter) ?? letter),
  );
}

/**
 * A range of the row of bytes, as spans of the contexts in it; a character that is not whole is left out.
 * @param {ContextIndex} contextIndex
 * @param {number} from
 * @param {number} to
 */
function spansOf(contextIndex, from, to) {
  /** @type {Span[]} */
  const spans = [];
  const { parts } = contextIndex;
  for (let number = partAt(parts, from); number < parts.length && parts[number].from < to; number += 1) {
    const span = spanIn(
      contextIndex,
      parts[number],
      Math.max(from, parts[number].from),
      Math.min(to, parts[number].to),
    );
    if (span !== null) spans.push(span);
  }
  return spans;
}

/**
 * The first part that ends behind `at`.
 * @param {Part[]} parts
 * @param {number} at
 */
function partAt(parts, at) {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (parts[middle].to <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {ContextIndex} contextIndex
 * @param {Part} part
 * @param {number} from
 * @param {number} to
 * @returns {Span | null}
 */
function spanIn({ index: { bytes }, marks }, part, from, to) {
  let [first, last] = [from, to];
  if (part.isText) {
    while (first < last && !isLead(bytes[first])) first += 1;
    while (last > first && last < part.to && !isLead(bytes[last])) last -= 1;
  }
  if (first >= last) return null;
  /** @param {number} at */
  const position = (at) => (part.isText ? charsAt(bytes, marks, at) : at) - part.before;
  const bytesOf = { byte_start: first - part.from, byte_end: last - part.from };
  return { name: part.name, start: position(first), end: position(last), ...bytesOf };
}

/**
 * The spans in order, those that overlap or touch made one.
 * @param {Span[]} spans
 */
export function united(spans) {
  const sorted = [...spans].sort((one, other) =>
    one.name === other.name ? one.start - other.start : one.name < other.name ? -1 : 1,
  );
  /** @type {Span[]} */
  const apart = [];
  for (const span of sorted) {
    const last = apart[apart.length - 1];
    if (last?.name !== span.name || last.end < span.start) apart.push({ ...span });
    else if (span.end > last.end) Object.assign(last, { end: span.end, byte_end: span.byte_end });
  }
  return apart;
}
