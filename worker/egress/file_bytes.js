// @ts-check
// File bytes: small files, read once on the page: to see that they are still there, and for the index of the ledger.
//
// In: contexts of a job. Out: their bytes, kept until the index takes them; of a large file, or beyond MAX_KEPT_BYTES in
// all, nothing is kept. Of thousands of small files each read costs more than its bytes do.

import { yieldToPage } from "../time/time_slices.js";

/** @typedef {import("../wire/protocol.js").JobContext} JobContext */

/** Bytes up to which a file is small. */
export const SMALL_BYTES = 64 << 10;
/** Bytes that are kept of all files of a job. */
export const MAX_KEPT_BYTES = 32 << 20;
const AT_ONCE = 32;

/** @type {WeakMap<Blob, Uint8Array>} */
const kept = new WeakMap();

/**
 * Read the beginning of each file, or all of a small one, which is kept.
 * @param {JobContext[]} contexts
 * @param {(name: string, error: DOMException) => Error} fault of a file that cannot be read, and ends this
 */
export async function readBeginnings(contexts, fault) {
  let room = MAX_KEPT_BYTES;
  for (let first = 0; first < contexts.length; first += AT_ONCE) {
    const reads = contexts.slice(first, first + AT_ONCE).map(async ({ name, data }) => {
      if (!(data instanceof Blob)) return;
      const isKept = data.size <= Math.min(SMALL_BYTES, room);
      if (isKept) room -= data.size;
      const read = isKept ? data.arrayBuffer() : data.slice(0, 1).arrayBuffer();
      const bytes = await read.catch((/** @type {DOMException} */ error) => {
        throw fault(name, error);
      });
      if (isKept) kept.set(data, new Uint8Array(bytes));
    });
    await Promise.all(reads);
    await yieldToPage();
  }
}

/**
 * The bytes of a file that were kept, which are no longer kept then; `null` for none.
 * @param {JobContext["data"]} data
 */
export function takeKept(data) {
  if (!(data instanceof Blob)) return null;
  const bytes = kept.get(data) ?? null;
  kept.delete(data);
  return bytes?.length === data.size ? bytes : null;
}
