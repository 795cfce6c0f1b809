// Mounted files: every read gives the file's bytes, in whatever steps, and small steps in a row cost few reads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inPieces, readAhead } from "../../../worker/sandbox/mounted.js";

const SIZE = (2 << 20) + 12_345;
const BYTES = Uint8Array.from({ length: SIZE }, (_, at) => (at * 31) % 251);

function opened() {
  let reads = 0;
  const node = { size: SIZE };
  const read = readAhead((_stream, buffer, offset, length, position) => {
    reads += 1;
    const part = BYTES.subarray(position, position + length);
    buffer.set(part, offset);
    return part.length;
  });
  return {
    reads: () => reads,
    read: (/** @type {number} */ length, /** @type {number} */ position) => {
      const buffer = new Uint8Array(length + 3);
      const count = read({ node }, buffer, 3, length, position);
      return buffer.subarray(3, 3 + count);
    },
  };
}

test("a file read in small steps comes out whole, in few reads", () => {
  const file = opened();
  let position = 0;
  for (let part = file.read(8192, 0); part.length > 0; part = file.read(8192, position)) {
    assert.deepEqual(part, BYTES.subarray(position, position + part.length));
    position += part.length;
  }
  assert.equal(position, SIZE);
  assert.ok(file.reads() < 8, `${file.reads()} reads`);
});

test("jumps, steps back and large reads give the bytes of their place", () => {
  const file = opened();
  for (const [length, position] of [
    [10, 0],
    [10, 10],
    [10, 15],
    [10, 5],
    [99, 2_000_000],
    [1 << 20, 7],
    [5, SIZE - 2],
    [5, SIZE],
    [8, SIZE + 9],
  ]) {
    assert.deepEqual(file.read(length, position), BYTES.subarray(position, position + length).subarray(0, length));
  }
});

test("a large read is made of pieces, each released before the next; a short one is the last", () => {
  /** @type {[number, number, number][]} */
  const asked = [];
  let held = 0;
  const read = inPieces(
    (_stream, _buffer, offset, length, position) => {
      assert.equal(held++, 0, "the piece before is still held");
      asked.push([offset, length, position]);
      return Math.min(length, 10_000_000 - position);
    },
    () => void (held -= 1),
  );
  const node = { size: 10_000_000 };
  assert.equal(read({ node }, new Uint8Array(0), 5, 20_000_000, 100), 9_999_900);
  assert.deepEqual(asked, [
    [5, 4 << 20, 100],
    [5 + (4 << 20), 4 << 20, 100 + (4 << 20)],
    [5 + (8 << 20), 4 << 20, 100 + (8 << 20)],
  ]);
});
