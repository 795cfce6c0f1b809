// The tape of a run: which of the requests that a block is expected to make need an answer, and under which key.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openTape } from "../../../worker/recovery/request_tape.js";

const calls = (...texts) => texts.map((content) => ({ model: null, messages: [{ role: "user", content }] }));
const ROOT = { op: "complete", kind: "root", calls: calls("the question") };
const sub = (...texts) => ({ op: "complete", kind: "sub", calls: calls(...texts) });

/** A tape whose handler answers everything; `keys` are those of its requests. */
function opened() {
  const keys = [];
  const complete = async (_body, answer) => {
    answer.idempotencyKey(keys.length);
    keys.push(answer.aheadKey?.() ?? "root");
    answer.end();
  };
  let position = null;
  const told = { onReplayed: () => {}, onDifference: () => {} };
  const tape = openTape({ handlers: { complete }, name: "run", position: () => position, ...told });
  const ask = (request, block = null) => {
    position = block;
    const unheard = { write: () => {}, end: () => {}, fail: assert.fail, progress: () => {} };
    return tape.handle(JSON.stringify(request), { ...unheard, signal: new AbortController().signal }, []);
  };
  const expected = (request) => tape.expected(JSON.stringify(request), request);
  return { tape, keys, ask, expected };
}

test("a request has the key under which it may have left before it was made, also the second equal one", async () => {
  const { keys, ask, expected } = opened();
  assert.equal(await expected(sub("before any root call")), null);
  await ask(ROOT);
  const ahead = [await expected(sub("one")), await expected(sub("one", "two")), await expected(sub("one"))];
  for (const request of [sub("one"), sub("one"), sub("one", "two")]) await ask(request);
  assert.deepEqual(keys, ["root", ahead[0], ahead[2], ahead[1]]);
  assert.equal(new Set(ahead).size, 3);
  assert.match(ahead[0], /^run\/0\/ahead\/0\/[\w-]+$/);
  await ask(ROOT);
  assert.match(await expected(sub("one")), /^run\/4\/ahead\/0\//);
});

test("a request of a block that is lost is answered by its record, and need not leave again", async () => {
  const { tape, keys, ask, expected } = opened();
  const lost = { iteration: 1, block: 0 };
  await ask(ROOT);
  await ask(sub("one"), lost);
  tape.rewind((position) => position === lost);
  await ask(ROOT);
  await ask({ ...ROOT, calls: calls("the question", "the observation") });
  assert.equal(await expected(sub("one")), null);
  assert.notEqual(await expected(sub("two")), null);
  await ask(sub("one"));
  assert.equal(keys.length, 3);
  assert.notEqual(await expected(sub("one")), null);
});
