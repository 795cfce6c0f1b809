// Progress of `<rlm-ask>`: the step and its detail, from the events of a run and of its child runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openProgress } from "../../web/ask_progress.js";

const ROOT = { path: [] };

function said(events) {
  const progress = openProgress();
  return events.map((event) => {
    const { step, detail } = progress({ ...ROOT, ...event });
    return detail === "" ? step : `${step}: ${detail}`;
  });
}

test("each step is thinking, then code, then the model calls of its code", () => {
  const events = [
    { type: "run_started" },
    { type: "iteration_started", iteration: 1 },
    { type: "call_started", kind: "root", call: 0 },
    { type: "reply_written", call: 0, at: 100, text: "x".repeat(20) },
    { type: "call_finished", call: 0 },
    { type: "block_started", iteration: 1, block: 0 },
    { type: "call_started", kind: "sub", call: 1 },
    { type: "call_started", kind: "sub", call: 2 },
    { type: "call_finished", call: 2 },
    { type: "iteration_started", iteration: 2 },
  ];
  assert.deepEqual(said(events), [
    "Starting Python",
    "Step 1: thinking",
    "Step 1: thinking",
    "Step 1: thinking, 120 characters written",
    "Step 1: thinking, 120 characters written",
    "Step 1: running code",
    "Step 1: 0 of 1 model call answered",
    "Step 1: 0 of 2 model calls answered",
    "Step 1: 1 of 2 model calls answered",
    "Step 2: thinking",
  ]);
});

test("calls of a child run count, and its iterations are no steps", () => {
  const child = { path: [0] };
  const events = [
    { type: "iteration_started", iteration: 1 },
    { type: "block_started", iteration: 1, block: 0 },
    { ...child, type: "iteration_started", iteration: 1 },
    { ...child, type: "call_started", kind: "root", call: 0 },
    { ...child, type: "call_finished", call: 0 },
  ];
  assert.equal(said(events).at(-1), "Step 1: 1 of 1 model call answered");
});
