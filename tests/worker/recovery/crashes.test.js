// Crashes: the cause of a worker's end, as the model and the user read it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCrashes } from "../../../worker/recovery/crashes.js";

/** The observation of the block that ran, and the notice, after a crash. */
function crashed(why) {
  const lost = [];
  const notices = [];
  const position = {
    progress: () => 0,
    current: () => ({ iteration: 1, block: 0 }),
    lose: (_, error) => lost.push(error),
  };
  const recorder = { empty: () => false, record: ({ text }) => notices.push(text) };
  openCrashes({ position, recorder, waits: () => false }).survive({ crash: why });
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
