// A root reply is seen while it is written, in few pieces, and anew when it is asked for again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openReplyPieces } from "../../../worker/calls/reply_pieces.js";
import { ask, done, prompt, sse, streamed } from "../scripted_endpoint.js";

const CONVERSATION = [
  {
    model: null,
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: "u" },
    ],
  },
];
function textOf(written) {
  return written.reduce((text, [, piece]) => text.slice(0, piece.at) + piece.text, "");
}

test("a root reply is told as it is written, and whole when it is settled", async () => {
  const parts = Array.from({ length: 500 }, (_, at) => sse({ delta: `${at} 🦊 ` }));
  const got = await ask(CONVERSATION, () => streamed([...parts, sse(done)]), { kind: "root" });
  assert.equal(textOf(got.written), got.frames[0].text);
  assert.deepEqual(got.written[0], [100, { at: 0, text: "0 🦊 " }]);
});

test("sub-calls are not told as they are written", async () => {
  const got = await ask([prompt("a")], () => streamed([sse({ delta: "x" }, done)]));
  assert.deepEqual(got.written, []);
});

test("a reply that broke off is written from its beginning", async () => {
  const replies = [[sse({ delta: "half of" })], [sse({ delta: "the " }, { delta: "whole" }, done)]];
  const got = await ask(CONVERSATION, (at) => streamed(replies[at]), { kind: "root" });
  assert.deepEqual(got.written.slice(0, 2), [
    [100, { at: 0, text: "half of" }],
    [100, { at: 0, text: "the " }],
  ]);
  assert.equal(textOf(got.written), "the whole");
});

test("pieces are joined for fifty milliseconds", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told = [];
  const written = openReplyPieces((at, text) => told.push([at, text]));
  for (const piece of ["a", "b", "c"]) written.add(piece);
  assert.deepEqual(told, [[0, "a"]]);
  t.mock.timers.tick(50);
  assert.deepEqual(told, [
    [0, "a"],
    [1, "bc"],
  ]);
  written.add("d");
  t.mock.timers.tick(49);
  assert.equal(told.length, 2);
  written.end();
  t.mock.timers.tick(1_000);
  assert.deepEqual(told[2], [3, "d"]);
  assert.equal(told.length, 3);
});
