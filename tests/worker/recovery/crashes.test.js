// Crashes: the cause of a worker's end, as the model and the user read it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCrashes } from "../../../worker/recovery/crashes.js";

/** The observation of the block that ran, and the notice, after a crash. */
function crashed(why, change) {
  const lost = [];
  const notices = [];
  const position = {
    progress: () => 0,
    current: () => ({ iteration: 1, block: 0 }),
    lose: (_, error) => lost.push(error),
  };
  const recorder = { empty: () => false, record: ({ text }) => notices.push(text) };
  openCrashes({ position, recorder, waits: () => false }).survive({ crash: why, change });
  return { observation: lost.join(), notice: notices.join() };
}

test("a worker that recursion ended says so to model and user, in the words of each engine", () => {
  for (const why of ["RangeError: Maximum call stack size exceeded", "InternalError: too much recursion"]) {
    const { observation, notice } = crashed(why);
    for (const text of [observation, notice]) {
      assert.match(text, /recursion filled the interpreter's stack/);
      assert.match(text, /use a loop with a list of what is left to do instead of a function that calls itself/);
      assert.ok(text.includes(why));
    }
  }
});

test("another cause is named as it is", () => {
  const { observation, notice } = crashed("it exited with status 3");
  assert.match(observation, /died in this block \(it exited with status 3\)/);
  assert.doesNotMatch(notice, /recursion/);
});

test("a block that changed the interpreter is told so, in the worker's words and no more of them than a line", () => {
  const { observation, notice } = crashed("its block replaced ast.parse", `replaced ast.parse${"!".repeat(1_000)}`);
  assert.match(observation, /^This block replaced ast\.parse!{200}/);
  assert.match(observation, /effects are gone/);
  assert.match(notice, /^the Python worker was replaced: it reported that its block replaced ast\.parse/);
  assert.ok(notice.length < 600 && observation.length < 1_000);
});
