// @ts-check
// Memory image: a snapshot of the interpreter's memory as a module of wasm, whose data segments hold it.
//
// In: the header of Pyodide's snapshot, and the memory. Out: the bytes of that module; later, the memory of another interpreter as the snapshot's was. The
// compiled module is shared by all workers of a page, and none of them can write to it: each takes one copy, and pages of
// zeros, half of the memory, are neither kept nor touched.

import { joined } from "../wire/buffers.js";

const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;
const WASM_PAGE = 65_536;
/** Zeros between two segments that are shorter than this stay in them. */
const LEAST_GAP = 4 * PAGE;
const HEADER = "header";
const NAME = new TextEncoder().encode(HEADER);
const PREAMBLE = [0, 97, 115, 109, 1, 0, 0, 0];
const [CUSTOM, IMPORTS, DATA] = [0, 2, 11];

/**
 * Pages with anything but zeros.
 * @param {Uint8Array | Int8Array} memory
 * @returns {Uint8Array<ArrayBuffer>} 1 or 0 for each page
 */
export function usedPages(memory) {
  const words = new Uint32Array(memory.buffer, memory.byteOffset, memory.length / 4);
  const used = new Uint8Array(Math.ceil(memory.length / PAGE));
  for (let at = 0; at < words.length; at += 1) if (words[at] !== 0) used[(at * 4) >>> PAGE_BITS] = 1;
  return used;
}

/**
 * @param {Uint8Array} header of Pyodide's snapshot
 * @param {Uint8Array} memory
 * @param {Uint8Array} fresh pages that are in use in a fresh interpreter: a segment covers each of them
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function imageOf(header, memory, fresh) {
  const segments = segmentsOf(memory, fresh);
  const length = new Uint8Array(Uint32Array.of(memory.length).buffer);
  return joined([
    PREAMBLE,
    ...section(CUSTOM, [[NAME.length, ...NAME], length, header]),
    ...section(IMPORTS, [[1, 0, 1, 109, 2, 0, ...unsigned(memory.length / WASM_PAGE)]]), // the memory, named "m"
    ...section(DATA, [unsigned(segments.length), ...segments.flat()]),
  ]);
}

/**
 * Pyodide's snapshot of an image, as far as it reads one: the header, and no memory; with the length of that.
 * @param {WebAssembly.Module} image
 */
export function headerOf(image) {
  const [kept] = WebAssembly.Module.customSections(image, HEADER);
  if (kept === undefined) throw new Error("the snapshot is no image of a memory");
  return { length: new Uint32Array(kept, 0, 1)[0], header: new Uint8Array(kept.slice(4)) };
}

/**
 * Make the memory of a fresh interpreter that of the image.
 * @param {WebAssembly.Module} image
 * @param {WebAssembly.Memory} memory
 */
export function restore(image, memory) {
  new WebAssembly.Instance(image, { "": { m: memory } });
}

/**
 * @param {Uint8Array} memory
 * @param {Uint8Array} fresh
 */
function segmentsOf(memory, fresh) {
  const used = usedPages(memory);
  /** @type {Array<[number, number]>} */
  const spans = [];
  for (let page = 0; page < used.length; page += 1) {
    if (used[page] === 0 && !fresh[page]) continue;
    const last = spans.at(-1);
    if (last !== undefined && page * PAGE - last[1] < LEAST_GAP) last[1] = (page + 1) * PAGE;
    else spans.push([page * PAGE, (page + 1) * PAGE]);
  }
  return spans.map(([from, to]) => {
    const bytes = memory.subarray(from, to);
    return [[0, 0x41, ...signed(from), 0x0b, ...unsigned(bytes.length)], bytes]; // active, i32.const, end
  });
}

/**
 * @param {number} id
 * @param {Array<number[] | Uint8Array>} parts
 */
function section(id, parts) {
  return [[id, ...unsigned(parts.reduce((sum, { length }) => sum + length, 0))], ...parts];
}

/** @param {number} value in LEB128 */
function unsigned(value) {
  const bytes = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 128) return [...bytes, left];
    bytes.push((left & 127) | 128);
  }
}

/** @param {number} value positive, in signed LEB128 */
function signed(value) {
  const bytes = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 64) return [...bytes, left];
    bytes.push((left & 127) | 128);
  }
}
