// A root reply is seen while it is written, in few pieces, and anew when it is asked for again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openReplyPieces } from "../../../worker/calls/reply_pieces.js";
import { USAGE, ask, done, ndjson, prompt, sse, streamed } from "../scripted_endpoint.js";

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

test("reasoning comes apart from the reply, and the worker never gets it", async () => {
  const events = [{ reasoning: "hm, " }, { reasoning: "FINAL(7)?" }, { delta: "850" }, done];
  const asked = [{ model: null, messages: [{ role: "user", content: "u" }] }];
  const got = await ask(asked, () => streamed([sse(...events)]), { kind: "root" });
  assert.equal(textOf(got.reasoned), "hm, FINAL(7)?");
  assert.equal(textOf(got.written), "850");
  assert.deepEqual(
    [got.finished[0][1].completion.text, got.finished[0][1].completion.reasoning],
    ["850", "hm, FINAL(7)?"],
  );
  assert.deepEqual([got.frames[0].text, Object.keys(got.frames[0].meta).includes("reasoning")], ["850", false]);
});

test("reasoning of sub-calls and of a batch's items is kept with their end", async () => {
  const single = await ask([prompt("a")], () => streamed([sse({ reasoning: "hm" }, { delta: "x" }, done)]));
  assert.deepEqual([single.finished[0][1].completion.reasoning, single.reasoned], ["hm", []]);
  const lines = [0, 1].map((index) => ({ index, text: "x", model: "m", usage: USAGE, reasoning: `hm ${index}` }));
  const batch = await ask([prompt("a"), prompt("b")], () =>
    streamed([ndjson(...lines, { done: true })], { type: "application/x-ndjson" }),
  );
  assert.deepEqual(
    batch.finished.map(([, outcome]) => outcome.completion.reasoning),
    ["hm 0", "hm 1"],
  );
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
