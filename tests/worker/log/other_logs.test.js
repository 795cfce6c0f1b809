// Logs of other systems: the samples make the same events as by the command's readers (tests/server/test_other_logs.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readOtherLog } from "../../../worker/log/other_logs.js";
import { readTrajectory } from "../../../worker/log/trajectory.js";

const SAMPLES = { "dspy-3.4.1.json": "dspy.RLM", "fast-rlm-0.5.0.jsonl": "fast-rlm", "droste-0.26.0.ndjson": "droste" };
function sample(name) {
  return readFileSync(new URL(`../../golden/foreign/${name}`, import.meta.url), "utf8");
}

for (const [name, system] of Object.entries(SAMPLES)) {
  test(`the sample of ${system} makes the events beside it`, () => {
    const log = readOtherLog(sample(name));
    const expected = readTrajectory(sample(name.replace(/\.\w+$/, ".events.jsonl")));
    assert.deepEqual([log.system, log.notes, expected.notes], [system, [], []]);
    assert.deepEqual(log.events, expected.events);
    assert.deepEqual(readTrajectory(log.events.map((event) => JSON.stringify(event)).join("\n")).events, log.events);
  });
}

test("a trajectory alone, and a result with its run record, are read too", () => {
  const { trajectory } = JSON.parse(sample("dspy-3.4.1.json"));
  assert.match(readOtherLog(JSON.stringify(trajectory)).events.at(-1).answer, /^\{'answer': 'Mara Lindqvist/);
  const rows = sample("droste-0.26.0.ndjson")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const record = { answer: "x", run_record: { version: 10, events: rows } };
  assert.equal(readOtherLog(JSON.stringify(record, null, 1)).events.at(-1).answer, "Mara Lindqvist, 1931");
});

test("lines of later versions and a cut last line are counted, another broken line is named", () => {
  for (const name of ["fast-rlm-0.5.0.jsonl", "droste-0.26.0.ndjson"]) {
    const lines = sample(name).trim().split("\n");
    const later = JSON.stringify({ ...JSON.parse(lines[0]), type: "mood", event_type: "mood" });
    const text = [lines[0], later, later, ...lines.slice(1, -1), lines.at(-1).slice(0, 20)].join("\n");
    assert.deepEqual(readOtherLog(text).notes, [
      `line ${lines.length + 2}, the last, was cut off and is left out.`,
      "2 lines of an unknown type left out (mood)",
    ]);
    const broken = [lines[0], "{oops", ...lines.slice(1)].join("\n");
    assert.throws(() => readOtherLog(broken), { name: "ConfigError", message: "line 2: not JSON." });
  }
});

test("a text of no such form is left to the reader of trajectories", () => {
  for (const text of ["", "{}", "[]", "hello", "[1, 2]", '{"type": "run_started"}'])
    assert.equal(readOtherLog(text), null);
});
