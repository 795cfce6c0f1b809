// Recorder: a long prompt stands in the log as it was sent, whatever a listener makes of its event, and is held once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openRecorder } from "../../../worker/log/recorder.js";

const LONG = `${'long \u00e9\ud83d\ude00 "text"\n'.repeat(1_000)}`;

function recorded(onEvent = (/** @type {any} */ _event) => {}) {
  /** @type {string[]} */
  const sunk = [];
  const recorder = openRecorder({ path: [], onEvent, sink: (line) => void sunk.push(line), now: () => 0 });
  const calls = ["short", LONG].map((content) => ({ model: "m", messages: [{ role: "user", content }], schema: null }));
  recorder.callsStarted("sub", /** @type {any} */ (calls), { temperature: 0 });
  return { recorder, sunk };
}

test("the log has the lines that were written down as they came", () => {
  const { recorder, sunk } = recorded();
  assert.equal(recorder.trajectory(), sunk.map((line) => `${line}\n`).join(""));
  assert.equal(JSON.parse(sunk[1]).messages[0].content, LONG);
  assert.deepEqual(
    [...recorder.events()],
    sunk.map((line) => JSON.parse(line)),
  );
});

test("calls of other runs, and those that left ahead and were not used, are told apart from those of requests", () => {
  const { recorder } = recorded();
  const calls = /** @type {any} */ ([{ model: "m", messages: [], schema: null }]);
  const child = recorder.below([0], false);
  child.callsStarted("root", calls, {});
  recorder.callsStarted("sub", calls, {}, "unused");
  recorder.callsStarted("sub", calls, {}, "used");
  assert.deepEqual([recorder.otherCalls(), child.otherCalls()], [2, 4]);
});

test("a listener changes its own event, not the log", () => {
  const { recorder, sunk } = recorded((event) => {
    event.messages[0].content = "other";
    event.messages.push("more");
    event.options.temperature = 9;
    event.call = 99;
  });
  assert.equal(recorder.trajectory(), sunk.map((line) => `${line}\n`).join(""));
});
