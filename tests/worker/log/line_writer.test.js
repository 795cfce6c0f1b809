// Line writer: what waits goes in one transaction, in order; `written` waits for all of it.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { openLineWriter } from "../../../worker/log/line_writer.js";

/** A writer whose transactions end when the test says so. @param {number} next @param {() => number} now */
function opened(next = 0, now = () => 0) {
  /** @type {{lines: string[], first: number, end: () => void, fail: (error: Error) => void}[]} */
  const puts = [];
  const put = (/** @type {string[]} */ lines, /** @type {number} */ first) =>
    new Promise((/** @type {(_: void) => void} */ end, fail) => void puts.push({ lines, first, end, fail }));
  return { puts, ...openLineWriter(put, next, now) };
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

test("the end of a block and the next iteration's call go together, and no repeated call leaves before they are kept", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { puts, append, written, isAbreast } = opened();
  append("end of block", "block_finished", true);
  append("end of iteration", "iteration_finished", true);
  append("iteration", "iteration_started", true);
  await settled();
  assert.equal(puts.length, 0);
  assert.equal(isAbreast(), false);
  append("root call", "call_started", true);
  void written();
  await settled();
  assert.deepEqual(puts[0].lines, ["end of block", "end of iteration", "iteration", "root call"]);
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

test("calls that may be asked for again share a transaction, unless something waits for it", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { puts, append, written } = opened();
  for (const call of [1, 2]) {
    append(`call ${call}`, "call_started", true);
    append(`reply ${call}`, "call_finished", true);
    append(`egress ${call}`, "egress", true);
    mock.timers.tick(49);
  }
  await settled();
  assert.equal(puts.length, 0);
  mock.timers.tick(2);
  await settled();
  assert.deepEqual(puts[0].lines, ["call 1", "reply 1", "egress 1", "call 2", "reply 2", "egress 2"]);
  puts[0].end();
  append("call 3", "call_started", true);
  void written();
  await settled();
  assert.deepEqual(puts[1].lines, ["call 3"]);
});

test("a page that closes writes what waits beside the transaction that is under way", async () => {
  const { puts, append, written, hurry } = opened();
  append("a", "call_started");
  await settled();
  append("b", "call_finished");
  void written();
  hurry();
  assert.deepEqual(
    puts.map(({ lines, first }) => [first, lines]),
    [
      [0, ["a"]],
      [1, ["b"]],
    ],
  );
  puts[0].end();
  await settled();
  assert.equal(puts.length, 2);
});

test("a writer is not abreast while a line is not kept on which a repeated call would depend", async () => {
  const { puts, append, written, isAbreast } = opened();
  append("a", "call_started", true);
  assert.equal(isAbreast(), true);
  append("b", "block_started", true);
  assert.equal(isAbreast(), false);
  await settled();
  append("c", "call_finished", true);
  assert.equal(isAbreast(), false);
  puts[0].end();
  await settled();
  assert.equal(isAbreast(), true);
  append("d", "call_started");
  assert.equal(isAbreast(), false);
  await settled();
  puts[1].end();
  await written();
  assert.equal(isAbreast(), true);
});

test("a writer is not abreast while a line is older than half a second, and after a fault", async () => {
  let time = 0;
  const { puts, append, written, isAbreast } = opened(0, () => time);
  assert.equal(isAbreast(), true);
  append("a", "call_started", true);
  void written();
  await settled();
  time = 400;
  append("b", "call_finished", true);
  assert.equal(isAbreast(), true);
  time = 600;
  assert.equal(isAbreast(), false);
  puts[0].end();
  await settled();
  assert.equal(isAbreast(), true);
  void written().catch(() => {});
  await settled();
  puts[1].fail(new Error("full"));
  time = 1_200;
  await settled();
  assert.equal(isAbreast(), false);
});

test("a call that may be repeated waits for the lines under way on which it would depend, not for those of such calls", async () => {
  const { puts, append, abreast } = opened();
  assert.equal(abreast(), null);
  append("a", "block_started", true);
  await settled();
  append("b", "call_started", true);
  let isReady = false;
  void abreast()?.then(() => (isReady = true));
  await settled();
  assert.equal(isReady, false);
  puts[0].end();
  await settled();
  assert.equal(isReady, true);
  assert.equal(puts.length, 1);
  append("c", "tool_called", true);
  append("d", "call_started", true);
  void abreast()?.then(() => (isReady = false));
  await settled();
  assert.deepEqual(puts[1].lines, ["b", "c", "d"]);
  assert.equal(isReady, true);
  puts[1].end();
  await settled();
  assert.equal(isReady, false);
});
