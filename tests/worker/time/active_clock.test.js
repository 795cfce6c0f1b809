// The active clock: it counts by ticks, and sleep of the machine is no work.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openActiveClock } from "../../../worker/time/active_clock.js";

/** A clock of `limitMs` under a fake time: `pass` gives how often it rang so far, `sleep` lets time pass without a tick. */
function clockOf(t, limitMs) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let at = 0;
  let rang = 0;
  const clock = openActiveClock({ limitMs, onTime: () => (rang += 1), now: () => at });
  const pass = (milliseconds) => {
    for (let left = milliseconds; left > 0; left -= 50) {
      at += 50;
      t.mock.timers.tick(50);
    }
    return rang;
  };
  return { ...clock, pass, sleep: (milliseconds) => void (at += milliseconds), rang: () => rang };
}

test("it rings once its time is up", (t) => {
  const clock = clockOf(t, 1_000);
  clock.start();
  assert.equal(clock.pass(950), 0);
  assert.equal(clock.pass(50), 1);
  assert.equal(clock.pass(5_000), 1);
});

test("a night of sleep counts for half a second at most", (t) => {
  const clock = clockOf(t, 1_000);
  clock.start();
  clock.pass(300);
  clock.sleep(8 * 3_600_000);
  assert.equal(clock.pass(250), 0);
  assert.equal(clock.pass(500), 1);
});

test("what is paused is not counted", (t) => {
  const clock = clockOf(t, 1_000);
  clock.start();
  clock.pass(500);
  clock.pause();
  clock.pass(10_000);
  clock.resume();
  assert.equal(clock.pass(450), 0);
  assert.equal(clock.pass(100), 1);
});

test("without a limit it never rings", (t) => {
  const clock = clockOf(t, null);
  clock.start();
  assert.equal(clock.pass(10_000), 0);
});
