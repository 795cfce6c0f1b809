// Late files: read once, when somebody asks for a byte; until then they have a size, and may be replaced.

import assert from "node:assert/strict";
import { test } from "node:test";
import { putLateFile } from "../../../worker/sandbox/late_file.js";

const BYTES = Uint8Array.of(80, 75, 3, 4);

/** A file system in memory whose nodes are those of Emscripten's, with a late file in it. */
function opened(readAsArrayBuffer) {
  const nodes = new Map();
  let reads = 0;
  const FS = {
    ErrnoError: class extends Error {
      constructor(errno) {
        super(`errno ${errno}`);
        this.errno = errno;
      }
    },
    writeFile: (path, data) => void nodes.set(path, { contents: data, usedBytes: data.length }),
    lookupPath: (path) => ({ node: nodes.get(path) }),
  };
  const reader = {
    readAsArrayBuffer(blob) {
      reads += 1;
      return readAsArrayBuffer(blob);
    },
  };
  putLateFile(FS, "/lib/core.zip", new Blob([BYTES]), reader);
  return { node: nodes.get("/lib/core.zip"), reads: () => reads };
}

test("a late file has its size unread, and is read once", () => {
  const { node, reads } = opened(() => BYTES.slice().buffer);
  assert.deepEqual([node.usedBytes, reads()], [BYTES.length, 0]);
  assert.deepEqual([node.contents, node.contents.subarray(1, 3)], [BYTES, BYTES.subarray(1, 3)]);
  assert.equal(reads(), 1);
});

test("a late file that is written over holds what was written, unread", () => {
  const { node, reads } = opened(() => assert.fail("read"));
  node.contents = Uint8Array.of(1);
  node.contents[0] += 1;
  assert.deepEqual([node.contents, reads()], [Uint8Array.of(2), 0]);
});

test("a late file whose blob cannot be read is an error of input and output, each time", () => {
  const { node, reads } = opened(() => {
    throw new DOMException("the blob is gone", "NotReadableError");
  });
  for (const attempt of [1, 2]) {
    assert.throws(() => node.contents, { errno: 29 });
    assert.equal(reads(), attempt);
  }
});
