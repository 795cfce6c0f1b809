// Line records: short lines share a record, and come back as they were.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linesIn, putLines } from "../../../worker/log/line_records.js";

/** @param {string[]} lines @param {number} [first] */
function kept(lines, first) {
  /** @type {[string, unknown][]} */
  const records = [];
  putLines({ put: (text, key) => records.push([text, key]) }, "run", lines, first);
  return records;
}

test("short lines share a record, a long one has its own", () => {
  const long = "x".repeat(70_000);
  assert.deepEqual(kept(["a", "b", long, "c", "d"], 7), [
    ["a\nb", ["run", 7]],
    [long, ["run", 9]],
    ["c\nd", ["run", 10]],
  ]);
});

test("records hold all lines in their order", () => {
  const lines = Array.from({ length: 5_000 }, (_, number) =>
    JSON.stringify({ seq: number, text: "line\n".repeat(number % 9) }),
  );
  const records = kept(lines);
  assert.deepEqual(linesIn(records.map(([text]) => text)), lines);
  assert.ok(records.length < 20, `${records.length} records`);
});

test("a record of an earlier version is one line", () => {
  assert.deepEqual(linesIn(["a", "b"]), ["a", "b"]);
});
