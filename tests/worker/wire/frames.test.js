// Frames: texts of any code points survive, and a copy gets another index.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, renumbered, textIn } from "../../../worker/wire/frames.js";
import { framesIn } from "../scripted_endpoint.js";

const USAGE = { calls: 1, input_tokens: 3, output_tokens: 2 };
const replyOf = (text) => ({ completion: { text, model: "m", usage: USAGE, reasoning: "hm" } });

for (const [text, read] of [
  ["", ""],
  ["two\nlines\n", "two\nlines\n"],
  ["\ufeffnaïve 🦊🦊\u2028", "\ufeffnaïve 🦊🦊\u2028"],
  ["a\ud800b\udc00\ud83e", "a\ufffdb\ufffd\ufffd"],
]) {
  test(`a frame holds ${JSON.stringify(text)} and as many characters as it says`, () => {
    const frames = framesIn(Buffer.concat([encodeFrame(0, replyOf(text)), encodeFrame(1, replyOf("next"))]));
    const meta = { model: "m", usage: USAGE };
    assert.deepEqual(frames, [
      { index: 0, status: 0, meta, text: read },
      { index: 1, status: 0, meta, text: "next" },
    ]);
    assert.equal(textIn(encodeFrame(0, replyOf(text))), read);
  });
}

test("a copy of a frame is the same with another index", () => {
  for (const outcome of [replyOf("a\n🦊"), { error: { title: "E", detail: "no\n" } }]) {
    assert.deepEqual(renumbered(encodeFrame(1, outcome), [5, 7]), encodeFrame(7, outcome));
  }
});

test("a failed call has no text", () => {
  assert.equal(textIn(encodeFrame(0, { error: { title: "E", detail: "no" } })), null);
});
