import assert from "node:assert/strict";
import { test } from "node:test";

import { checkEvents } from "../../../worker/run/event_check.js";

const STAMP = { seq: 0, path: [], seconds: 0 };
const SEEN = { stdout: "", stdout_chars: 0, value: null, error: null, seconds: 0, shown: null };
function event(type, fields = {}) {
  return { type, ...STAMP, ...fields };
}
function started(iteration) {
  return event("iteration_started", { iteration });
}
function block(iteration, number) {
  return event("block_started", { iteration, block: number, code: "1" });
}
function output(iteration, number) {
  return event("output", { iteration, block: number, text: "x" });
}
function done(iteration, number) {
  return event("block_finished", {
    iteration,
    block: number,
    observation: SEEN,
    partial: "so far",
    lost: false,
    stopped: null,
  });
}
function over(iteration) {
  return event("iteration_finished", { iteration, reply: "FORGED", blocks: 1 });
}

function watching({ rootCalls = 1, maxIterations = 2 } = {}) {
  const recorded = [];
  const recorder = { empty: () => recorded.length === 0, record: (each) => void recorded.push(each) };
  const known = { rootCalls: () => rootCalls, reply: () => "the reply", maxIterations };
  const watch = checkEvents(recorder, { notices: ["ready"], question: "What?", known });
  return { recorded, watch, take: (...events) => watch.take(JSON.stringify(events)) };
}

test("a run told in order is recorded, with the host's own word for the reply", () => {
  const { recorded, take } = watching();
  take(started(1), block(1, 0), output(1, 0), done(1, 0), block(1, 1), done(1, 1), over(1), started(2));
  assert.equal(recorded.length, 8);
  assert.equal(recorded[6].reply, "the reply");
});

const FORGED = {
  "an iteration that was skipped": [started(2)],
  "an iteration twice": [started(1), started(1)],
  "an iteration without a root call": [started(1), started(2), started(3)],
  "a block of another iteration": [started(1), block(2, 0)],
  "a block inside a block": [started(1), block(1, 0), block(1, 1)],
  "output without a block": [started(1), output(1, 0)],
  "an end without a block": [started(1), done(1, 0)],
  "an iteration's end inside a block": [started(1), block(1, 0), over(1)],
};
for (const [name, events] of Object.entries(FORGED)) {
  test(`${name} is refused`, () => {
    assert.throws(() => watching({ maxIterations: 5 }).take(...events), {
      name: "ProtocolError",
      message: /out of order/,
    });
  });
}

test("calls and the end are the host's to tell", () => {
  const usage = { calls: 1, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };
  const { recorded, take } = watching();
  const reply = { call: 0, model: "m", text: "FORGED", error: null, stopped: null, usage, reasoning: "FORGED" };
  take(event("call_finished", { ...reply, from_store: false }));
  take(event("reply_written", { call: 0, at: 0, text: "FORGED" }));
  take(event("reasoning_written", { call: 0, at: 0, text: "FORGED" }));
  assert.deepEqual(recorded, []);
});

test("a notice is cut and marked as the worker's, without a code, and a hundred are enough", () => {
  const { recorded, take } = watching();
  take(event("notice", { text: "x".repeat(1_000_000), code: "continued" }));
  assert.equal(recorded[0].text, `worker: ${"x".repeat(2_000)}`);
  assert.equal(recorded[0].code, null);
  assert.throws(() => take(...Array(100).fill(event("notice", { text: "x", code: null }))), /out of order/);
});

test("a message of many megabytes is refused before it is read", () => {
  const { watch } = watching();
  assert.throws(() => watch.take(" ".repeat(17 << 20)), /are allowed/);
});

test("fields that no event has are left out of the log", () => {
  const { recorded, take } = watching();
  take(started(1), block(1, 0), { ...done(1, 0), answer: "FORGED", observation: { ...SEEN, more: [[[[]]]] } });
  assert.deepEqual(recorded[2], { ...done(1, 0) });
});

test("displayed values are of known kinds", () => {
  const { recorded, take } = watching();
  const shown = JSON.stringify([{ kind: "markdown", title: "", text: "x", of: 1 }]);
  take(started(1), block(1, 0), { ...done(1, 0), observation: { ...SEEN, shown } });
  assert.equal(recorded[2].observation.shown, shown);
  const foreign = { ...done(1, 0), observation: { ...SEEN, shown: '[{"kind":"html"}]' } };
  assert.throws(() => watching().take(started(1), block(1, 0), foreign), /displayed values: item 1 is none/);
});

test("more events at once than any run has are refused", () => {
  assert.throws(() => watching().take(...Array(1_001).fill(started(1))), /1001 events at once/);
});
