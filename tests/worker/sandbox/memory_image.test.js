// Memory image: the memory of a worker that starts from it is that of the snapshot, byte for byte.

import assert from "node:assert/strict";
import { test } from "node:test";

import { headerOf, imageOf, restore, usedPages } from "../../../worker/sandbox/memory_image.js";

const PAGE = 4_096;
const WASM_PAGE = 65_536;
const HEADER_BYTES = 128;

/** A header of Pyodide's form, which names its own length. */
function pyodidesHeader() {
  const header = new Uint8Array(HEADER_BYTES);
  new Uint32Array(header.buffer).set([0x706e7300, HEADER_BYTES, 2]);
  return header;
}

/** A memory of `pages` pages of wasm with bytes in a few of PAGE, at edges too, and one word that is only -0. */
function memoryOf(/** @type {number} */ pages) {
  const memory = new Uint8Array(pages * WASM_PAGE);
  for (const at of [0, PAGE - 1, 7 * PAGE, 40 * PAGE + 5, memory.length - 1]) memory[at] = (at % 255) + 1;
  memory[60 * PAGE + 7] = 0x80;
  return memory;
}

/**
 * The memory of a worker that had `fresh` in it and starts from the image.
 * @param {Uint8Array} bytes
 * @param {Uint8Array} fresh
 */
function restored(bytes, fresh) {
  const image = new WebAssembly.Module(bytes);
  const memory = new WebAssembly.Memory({ initial: fresh.length / WASM_PAGE, maximum: 1_000 });
  new Uint8Array(memory.buffer).set(fresh);
  const { length } = headerOf(image);
  if (length > fresh.length) memory.grow((length - fresh.length) / WASM_PAGE);
  restore(image, memory);
  return { header: headerOf(image).header, memory: new Uint8Array(memory.buffer) };
}

test("a worker's memory becomes that of the snapshot, and Pyodide reads its header", () => {
  const memory = memoryOf(64);
  const header = pyodidesHeader();
  const found = restored(imageOf(header, memory, new Uint8Array()), new Uint8Array(8 * WASM_PAGE));
  assert.deepEqual(found.header, header);
  assert.equal(Buffer.compare(found.memory, memory), 0);
});

test("what a fresh interpreter has where the snapshot has zeros is overwritten", () => {
  const memory = memoryOf(32);
  const fresh = new Uint8Array(memory.length);
  for (const at of [3 * PAGE, 100 * PAGE + 9, 101 * PAGE, 300 * PAGE]) fresh[at] = 7;
  const image = imageOf(pyodidesHeader(), memory, usedPages(fresh));
  assert.equal(Buffer.compare(restored(image, fresh).memory, memory), 0);
});

test("pages of zeros are not kept", () => {
  const memory = memoryOf(256);
  assert.equal(
    usedPages(memory).reduce((sum, used) => sum + used, 0),
    5,
  );
  assert.ok(imageOf(pyodidesHeader(), memory, new Uint8Array()).length < 6 * PAGE + 2 * HEADER_BYTES);
});

test("a module that is no image is refused by name", () => {
  const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  assert.throws(() => headerOf(empty), /no image of a memory/);
});
