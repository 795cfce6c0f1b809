// Displayed values that belong to an answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerDisplays } from "../../../worker/log/answer_displays.js";

const item = (title) => ({ kind: "markdown", title, text: title, of: title.length });
const started = (iteration, path = []) => ({ type: "iteration_started", iteration, path });
const shown = (iteration, titles, path = []) => ({
  type: "block_finished",
  iteration,
  path,
  observation: { shown: titles === null ? null : JSON.stringify(titles.map(item)) },
});

test("those of the last iteration and those that the answer names", () => {
  const events = [
    started(1),
    shown(1, ["Cities", "Rivers", ""]),
    shown(1, ["ab"]),
    started(2),
    shown(2, null),
    shown(2, ["of a child"], [0]),
    started(3),
    shown(3, ["", "Chart"]),
  ];
  const titles = (answer) => answerDisplays(events, answer).map(({ title }) => title);
  assert.deepEqual(titles("See Cities, ab."), ["Cities", "", "Chart"]);
  assert.deepEqual(titles(""), ["", "Chart"]);
  assert.deepEqual(answerDisplays([], "x"), []);
});

test("a last iteration that displayed nothing leaves those that are named", () => {
  assert.deepEqual(
    answerDisplays([started(1), shown(1, ["Cities"]), started(2)], "Cities").map(({ title }) => title),
    ["Cities"],
  );
});
