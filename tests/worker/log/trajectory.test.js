// Logs as text: lines read, lines left out, and lines refused by number.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readTrajectory } from "../../../worker/log/trajectory.js";

const golden = readFileSync(new URL("../../golden/needle_in_batches.jsonl", import.meta.url), "utf8");
const lines = golden.trim().split("\n");

function refused(log, pattern) {
  return assert.throws(() => readTrajectory(log), { name: "ConfigError", message: pattern });
}

test("a whole log is read, blank lines or not", () => {
  const { events, notes } = readTrajectory(`\n${golden}\n \n`);
  assert.equal(events.length, lines.length);
  assert.deepEqual(notes, []);
  assert.deepEqual(events[3], JSON.parse(lines[3]));
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
    `${lines[0]}\n\n{"type": "surprise"}\n`,
    /^line 3 is no event .*its type is "surprise", which is not known\.$/,
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
