// Drawing: a change is drawn in the next frame, the progress of a run ten times a second.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

/** @type {(() => void)[]} */
let frames = [];
Object.assign(globalThis, {
  document: { hidden: false },
  requestAnimationFrame: (/** @type {() => void} */ draw) => void frames.push(draw),
});

function frame() {
  const due = frames;
  frames = [];
  for (const draw of due) draw();
}

test("the progress of a run is drawn ten times a second, a person's change in the next frame", async (t) => {
  const { COUNT_MS, changed, edition, onChange, progressed } = await import("../../web/drawing.js");
  let drawn = 0;
  let now = 1_000;
  onChange(() => void (drawn += 1));
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now);
  t.after(() => mock.reset());
  t.after(() => mock.timers.reset());
  const pass = (/** @type {number} */ milliseconds) => {
    now += milliseconds;
    mock.timers.tick(milliseconds);
    frame();
  };
  progressed();
  frame();
  assert.equal(drawn, 1); // the first is not put off
  for (let event = 0; event < 99; event += 1) {
    progressed();
    pass(1);
  }
  assert.equal(drawn, 1);
  pass(1);
  assert.equal(drawn, 2); // and the last one is not lost
  progressed();
  changed();
  frame();
  assert.equal(drawn, 3);
  pass(200);
  assert.equal(drawn, 3); // its own drawing had the progress in it
  assert.equal(edition(), 1);
  pass(100);
  progressed(COUNT_MS);
  frame();
  assert.equal(drawn, 4);
  progressed(COUNT_MS);
  pass(100);
  progressed(COUNT_MS);
  pass(149);
  assert.equal(drawn, 4); // numbers alone are drawn four times a second
  pass(1);
  assert.equal(drawn, 5);
  progressed(COUNT_MS);
  pass(50);
  progressed();
  pass(50);
  assert.equal(drawn, 6); // but a text takes them with it
  assert.equal(edition(), 1); // none of it was a change of the page's own
});

test("the end of a run is drawn at once, and takes with it what was due", async (t) => {
  const { changed, drawAtOnce, edition, onChange, progressed } = await import("../../web/drawing.js");
  let drawn = 0;
  onChange(() => void (drawn += 1));
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const before = edition();
  changed();
  progressed();
  drawAtOnce();
  assert.equal(drawn, 1);
  frame();
  mock.timers.tick(1_000);
  frame();
  assert.equal(drawn, 1);
  assert.equal(edition(), before + 2);
  changed();
  frame();
  assert.equal(drawn, 2);
});
