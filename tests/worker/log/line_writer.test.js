// Line writer: what waits goes in one transaction, in order; `written` waits for all of it.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { openLineWriter } from "../../../worker/log/line_writer.js";

/** A writer whose transactions end when the test says so. @param {number} next */
function opened(next = 0) {
  /** @type {{lines: string[], first: number, end: () => void, fail: (error: Error) => void}[]} */
  const puts = [];
  const put = (/** @type {string[]} */ lines, /** @type {number} */ first) =>
    new Promise((/** @type {(_: void) => void} */ end, fail) => void puts.push({ lines, first, end, fail }));
  return { puts, ...openLineWriter(put, next) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("lines that come during a transaction go together in the next one", async () => {
  const { puts, append, written } = opened(7);
  append("a", "call_started");
  append("b", "call_started");
  await settled();
  append("c", "call_finished");
  append("d", "call_started");
  await settled();
  assert.deepEqual(
    puts.map(({ lines, first }) => [first, lines]),
    [[7, ["a", "b"]]],
  );
  puts[0].end();
  await settled();
  assert.deepEqual([puts[1].first, puts[1].lines], [9, ["c", "d"]]);
  let isWritten = false;
  void written().then(() => (isWritten = true));
  await settled();
  assert.equal(isWritten, false);
  puts[1].end();
  await settled();
  assert.equal(isWritten, true);
});

test("an answer waits for the next call, so that calls in turn need one transaction each", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { puts, append, written } = opened();
  append("egress 1", "egress");
  append("reply 1", "call_finished");
  await settled();
  assert.equal(puts.length, 0);
  append("call 2", "call_started");
  await settled();
  assert.deepEqual(puts[0].lines, ["egress 1", "reply 1", "call 2"]);
  puts[0].end();
  append("egress 2", "egress");
  append("reply 2", "call_finished");
  void written(); // a function is to be called
  await settled();
  assert.deepEqual(puts[1].lines, ["egress 2", "reply 2"]);
});

test("a line waits no longer than its type may", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { puts, append } = opened();
  append("egress 1", "egress");
  mock.timers.tick(249);
  await settled();
  assert.equal(puts.length, 0);
  mock.timers.tick(1);
  await settled();
  assert.deepEqual([puts[0].first, puts[0].lines], [0, ["egress 1"]]);
  puts[0].end();
  append("egress 2", "egress");
  append("reply 1", "call_finished");
  append("egress 3", "egress");
  mock.timers.tick(20);
  await settled();
  assert.deepEqual([puts[1].first, puts[1].lines], [1, ["egress 2", "reply 1", "egress 3"]]);
});

test("after a transaction that failed nothing more is written", async () => {
  const { puts, append, written } = opened();
  append("a", "call_started");
  await settled();
  puts[0].fail(new Error("full"));
  await assert.rejects(written(), /full/);
  append("b", "call_started");
  await assert.rejects(written(), /full/);
  assert.equal(puts.length, 1);
});
