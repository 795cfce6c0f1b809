// @ts-check
// Mounted: makes the file system of mounted files fit for Python.
//
// In: Emscripten's WORKERFS. Out: the same, whose small reads in a row become few large ones, whose large reads hold no
// second copy of the file, and whose files that changed or are gone end in OSError; uncaught, the browser's own error is
// fatal to the interpreter.

import { release } from "../wire/buffers.js";

const EIO = 29;
const AHEAD_BYTES = 1 << 20;
const PIECE_BYTES = 4 << 20;

/**
 * @typedef {{node: {size: number}}} Stream
 * @typedef {(stream: Stream, buffer: Uint8Array, offset: number, length: number, position: number) => number} Read
 */

export function mendReads(/** @type {import("./pyodide.js").Pyodide["FS"]} */ FS) {
  const { WORKERFS } = FS.filesystems;
  const operations = WORKERFS.stream_ops;
  const reader = releasingReader(new FileReaderSync());
  WORKERFS.reader = reader;
  const read = readAhead(inPieces(operations.read, reader.releaseLast));
  operations.read = (...request) => {
    try {
      return read(...request);
    } catch (error) {
      throw error instanceof DOMException ? new FS.ErrnoError(EIO) : error;
    }
  };
}

/** A reader whose last buffer can be released: a worker that runs Python collects no garbage for a long time. */
function releasingReader(/** @type {FileReaderSync} */ reader) {
  let last = new ArrayBuffer(0);
  return {
    readAsArrayBuffer: (/** @type {Blob} */ blob) => (last = reader.readAsArrayBuffer(blob)),
    releaseLast: () => release(last),
  };
}

/**
 * A large read as several of `PIECE_BYTES`, each of which is released when it is copied.
 * @param {Read} read
 * @param {() => void} releaseLast
 * @returns {Read}
 */
export function inPieces(read, releaseLast) {
  return (stream, buffer, offset, length, position) => {
    let count = 0;
    for (let wanted = 0, got = 0; count < length && got === wanted; count += got) {
      wanted = Math.min(PIECE_BYTES, length - count);
      got = read(stream, buffer, offset + count, wanted, position + count);
      releaseLast();
    }
    return count;
  };
}

/**
 * Each read asks the browser's process; a sequential one fetches ahead for those that follow.
 * @param {Read} read
 * @returns {Read}
 */
export function readAhead(read) {
  /** @type {Stream["node"] | null} */
  let file = null;
  let held = new Uint8Array(0);
  let from = 0;
  let next = 0;

  return (stream, buffer, offset, length, position) => {
    const { node } = stream;
    const isKnown = file === node;
    const isHeld = isKnown && position >= from && position < from + held.length;
    if (!isHeld && (!isKnown || position !== next || length >= AHEAD_BYTES)) {
      const count = read(stream, buffer, offset, length, position);
      [file, held, from, next] = [node, held.subarray(0, 0), position, position + count];
      return count;
    }
    if (!isHeld) {
      const data = new Uint8Array(Math.max(0, Math.min(AHEAD_BYTES, node.size - position)));
      held = data.subarray(0, read(stream, data, 0, data.length, position));
      from = position;
    }
    const part = held.subarray(position - from, position - from + length);
    buffer.set(part, offset);
    next = position + part.length;
    return part.length;
  };
}
