// Buffers: a buffer that is released is empty at once, and releasing it again is nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { release } from "../../../worker/wire/buffers.js";

test("a released buffer is empty, also for the views on it", () => {
  const view = new Uint8Array(1_000);
  release(view.buffer);
  assert.equal(view.byteLength, 0);
  release(view.buffer);
});
