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

test("a line that may wait goes with the next one, or after a while", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { puts, append, written } = opened();
  append("egress 1", "egress");
  await settled();
  assert.equal(puts.length, 0);
  append("reply 1", "call_finished");
  await settled();
  assert.deepEqual(puts[0].lines, ["egress 1", "reply 1"]);
  puts[0].end();
  append("egress 2", "egress");
  mock.timers.tick(249);
  await settled();
  assert.equal(puts.length, 1);
  mock.timers.tick(1);
  await settled();
  assert.deepEqual([puts[1].first, puts[1].lines], [2, ["egress 2"]]);
  puts[1].end();
  append("egress 3", "egress");
  void written(); // a call is to leave
  await settled();
  assert.deepEqual(puts[2].lines, ["egress 3"]);
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
