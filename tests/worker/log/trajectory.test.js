// Logs as text: lines read, lines left out, and lines refused by number.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { upgraded } from "../../../worker/log/older_logs.js";
import { readTrajectory } from "../../../worker/log/trajectory.js";

const golden = readFileSync(new URL("../../golden/needle_in_batches.jsonl", import.meta.url), "utf8");
const lines = golden.trim().split("\n");

/** Fields of `call_finished` that the golden log is older than. */
const LATER = { stopped: null, finish_reason: null, reasoning: "", from_store: false };

function refused(log, pattern) {
  return assert.throws(() => readTrajectory(log), { name: "ConfigError", message: pattern });
}

test("a block of an earlier version has the stop that its error told", () => {
  const facts = (error) => {
    const { lost, stopped } = upgraded({ type: "block_finished", observation: { error } });
    return [lost, stopped];
  };
  assert.deepEqual(facts(null), [false, null]);
  assert.deepEqual(facts("KeyboardInterrupt"), [false, null]);
  assert.deepEqual(facts("KeyboardInterrupt: the run was stopped."), [false, "cancelled"]);
  assert.deepEqual(facts("the block was stopped after 2 s. Do it in smaller steps."), [false, "timed_out"]);
  assert.deepEqual(facts("The Python interpreter died in this block: memory."), [true, null]);
});

test("a whole log is read, blank lines or not", () => {
  const { events, notes } = readTrajectory(`\n${golden}\n \n`);
  assert.equal(events.length, lines.length);
  assert.deepEqual(notes, []);
  assert.deepEqual(events[3], { ...JSON.parse(lines[3]), ...LATER });
});

test("a last line that was cut off is left out, and said so", () => {
  const { events, notes } = readTrajectory(golden.slice(0, -20));
  assert.equal(events.length, lines.length - 1);
  assert.deepEqual(notes, [`line ${lines.length}, the last, was cut off and is left out.`]);
});

test("a line that is no event is named by its number", () => {
  refused(
    [...lines.slice(0, 4), "{oops", lines[5]].join("\n"),
    /^line 5 is no event of a trajectory: it is not JSON: \{oops\.$/,
  );
  refused(
    `${lines[0]}\n${JSON.stringify({ ...JSON.parse(lines[1]), iteration: "1" })}`,
    /^line 2 .*iteration_started\.iteration is not a number/,
  );
  refused(`${lines[0]}\n7\n`, /^line 2 .*its type is missing/);
});

test("a log of another package is named as one", () => {
  refused('{"type": "metadata", "root_model": "m"}\n', /^line 1 .*`pyodide-rlm import`/);
  refused('{"type": "iteration", "code_blocks": []}\n', /^line 1 .*`pyodide-rlm import`/);
});

test("what has no beginning is refused", () => {
  refused(" \n", /^the trajectory is empty/);
  refused(
    lines.slice(1).join("\n"),
    /^line 1 is iteration_started, and a trajectory begins with the root's run_started/,
  );
  refused("{oops", /^line 1 is no event/);
});

test("events and fields of a later version are left out, and counted", () => {
  const later = { ...JSON.parse(lines[3]), mood: "good" };
  later.usage.joules = 3;
  const { events, notes } = readTrajectory(
    [
      ...lines.slice(0, 3),
      JSON.stringify(later),
      '{"type": "surprise"}',
      '{"type": "surprise"}',
      ...lines.slice(4),
    ].join("\n"),
  );
  assert.equal(events.length, lines.length);
  assert.deepEqual(events[3], { ...JSON.parse(lines[3]), ...LATER });
  assert.deepEqual(notes, [
    "2 events of an unknown type left out (surprise)",
    "1 event with unknown fields, which are left out (call_finished.usage.joules, call_finishe…)",
  ]);
});

test("a log of an earlier version has the facts that it told as sentences", () => {
  const of = (name) => readFileSync(new URL(`../../golden/before_facts/${name}.jsonl`, import.meta.url), "utf8");
  const facts = (name) => {
    const { events, notes } = readTrajectory(of(name));
    assert.deepEqual(notes, []);
    return {
      lost: events.filter((event) => event.type === "block_finished" && event.lost).map(({ iteration }) => iteration),
      codes: events.filter((event) => event.type === "notice" && event.code !== null).map(({ code }) => code),
      stopped: events
        .filter((event) => event.type === "call_finished" && event.stopped !== null)
        .map(({ call }) => call),
    };
  };
  assert.deepEqual(facts("crashed"), { lost: [2], codes: [], stopped: [] });
  assert.deepEqual(facts("continued"), { lost: [], codes: ["continued"], stopped: [] });
  assert.deepEqual(facts("stopped"), { lost: [], codes: [], stopped: [2] });
  assert.deepEqual(facts("child"), { lost: [], codes: [], stopped: [] });
});
