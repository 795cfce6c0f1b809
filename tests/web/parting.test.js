// Parting: the first place where two runs differ.

import assert from "node:assert/strict";
import { test } from "node:test";
import { partingOf } from "../../web/parting.js";

function run(answer, ...iterations) {
  return {
    result: answer === null ? null : { answer },
    iterations: iterations.map(([reply, code, stdout, error = null], at) => ({
      iteration: at + 1,
      reply,
      blocks: code === undefined ? [] : [{ code, observation: { stdout, value: null, error } }],
    })),
  };
}

test("equal runs do not part", () => {
  assert.equal(partingOf(run("yes", ["r", "x = 1", "1"]), run("yes", ["r", "x = 1", "1"])), null);
  assert.equal(partingOf(run(null), run(null)), null);
});

test("the place is the first difference, in the order of the run", () => {
  const one = run("yes", ["same", "x = 1", "1"], ["r", "y", "2"]);
  const where = (other) => partingOf(one, other)?.where;
  assert.equal(where(run("yes", ["other", "x = 2", "3"])), "iteration 1, the reply");
  assert.equal(where(run("yes", ["same", "x = 2", "3"])), "iteration 1, the code of block 1");
  assert.equal(where(run("yes", ["same", "x = 1", "1", "Error"])), "iteration 1, the output of block 1");
  assert.equal(where(run("yes", ["same", "x = 1", "1"])), "iteration 2, which one of them has not");
  assert.equal(where(run("no", ["same", "x = 1", "1"], ["r", "y", "2"])), "the answer");
});

test("a block that one of them has not is a difference", () => {
  const parting = partingOf(run("", ["r"]), run("", ["r", "x", ""]));
  assert.deepEqual(parting, { where: "iteration 1, the code of block 1", texts: ["(nothing)", "x"] });
});

test("both texts are shown from a little before the difference", () => {
  const same = "s".repeat(1_000);
  const { texts } = partingOf(run("", [`${same}one`]), run("", [`${same}${"t".repeat(500)}`]));
  assert.equal(texts[0], `…${"s".repeat(40)}one`);
  assert.equal(texts[1], `…${"s".repeat(40)}${"t".repeat(360)}…`);
  assert.deepEqual(partingOf(run("ab"), run("a"))?.texts, ["ab", "a"]);
});
