// The active clock: it counts by ticks, and sleep of the machine is no work.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openActiveClock } from "../../../worker/time/active_clock.js";

/** A clock of `limitMs` under a fake time; `sleep` lets time pass without a tick. */
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
  };
  return { ...clock, pass, sleep: (milliseconds) => void (at += milliseconds), rang: () => rang };
}

test("it rings once its time is up", (t) => {
  const clock = clockOf(t, 1_000);
  clock.start();
  clock.pass(950);
  assert.equal(clock.rang(), 0);
  clock.pass(50);
  assert.equal(clock.rang(), 1);
  clock.pass(5_000);
  assert.equal(clock.rang(), 1);
});

test("a night of sleep counts for half a second at most", (t) => {
  const clock = clockOf(t, 1_000);
  clock.start();
  clock.pass(300);
  clock.sleep(8 * 3_600_000);
  clock.pass(250);
  assert.equal(clock.rang(), 0);
  clock.pass(500);
  assert.equal(clock.rang(), 1);
});

test("what is paused is not counted", (t) => {
  const clock = clockOf(t, 1_000);
  clock.start();
  clock.pass(500);
  clock.pause();
  clock.pass(10_000);
  clock.resume();
  clock.pass(450);
  assert.equal(clock.rang(), 0);
  clock.pass(100);
  assert.equal(clock.rang(), 1);
});

test("without a limit it never rings", (t) => {
  const clock = clockOf(t, null);
  clock.start();
  clock.pass(10_000);
  assert.equal(clock.rang(), 0);
});
