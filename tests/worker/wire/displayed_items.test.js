// Displayed items: what a worker may have the page show.

import assert from "node:assert/strict";
import { test } from "node:test";
import { displayedItems } from "../../../worker/wire/displayed_items.js";

const TABLE = { kind: "table", title: "", columns: ["a"], text: "1", rows: 1, of: 1 };
const IMAGE = { kind: "image", title: "t", type: "image/png", data: "aGk=" };
const wrong = (value) => displayedItems(typeof value === "string" ? value : JSON.stringify(value)).wrong;

test("items of each kind pass, without other fields", () => {
  const json = { kind: "json", title: "", text: "{}", of: 2 };
  const { items } = displayedItems(JSON.stringify([{ ...TABLE, onclick: "x" }, IMAGE, json]));
  assert.deepEqual(items, [TABLE, IMAGE, json]);
});

test("the points of a plot pass where they are sound; its picture in any case", () => {
  const line = { name: "a", x: [1, 2], y: [3, 4] };
  const chart = { x: "t", labels: null, lines: [line] };
  const shown = (value) => displayedItems(JSON.stringify([{ ...IMAGE, chart: value }])).items;
  assert.deepEqual(shown(JSON.stringify(chart)), [{ ...IMAGE, chart }]);
  assert.deepEqual(shown(JSON.stringify({ ...chart, labels: ["x", "y"] })), [
    { ...IMAGE, chart: { ...chart, labels: ["x", "y"] } },
  ]);
  for (const other of [
    { ...chart, x: 1 },
    { ...chart, labels: [1] },
    { ...chart, lines: [] },
    { ...chart, lines: Array(9).fill(line) },
    { ...chart, lines: [{ ...line, name: null }] },
    { ...chart, lines: [{ ...line, x: [2, 1] }] },
    { ...chart, lines: [{ ...line, x: [1, 1] }] },
    { ...chart, lines: [{ ...line, y: [3] }] },
    { ...chart, lines: [{ ...line, y: [3, null] }] },
    { ...chart, lines: [{ ...line, x: [...Array(2_001).keys()], y: Array(2_001).fill(0) }] },
    null,
  ])
    assert.deepEqual(shown(JSON.stringify(other)), [IMAGE]);
  assert.deepEqual(shown("no JSON"), [IMAGE]);
  assert.deepEqual(shown(chart), [IMAGE]);
});

test("anything else is refused, and named by its position", () => {
  assert.match(wrong("no JSON"), /no list/);
  assert.match(wrong({}), /no list/);
  assert.match(wrong(Array(41).fill(TABLE)), /no list/);
  for (const other of [
    { ...IMAGE, type: "text/html" },
    { ...IMAGE, data: '"><script>' },
    { ...TABLE, columns: "a" },
    { ...TABLE, columns: [1] },
    { ...TABLE, rows: -1 },
    { ...TABLE, text: 1 },
    { ...TABLE, title: "x".repeat(201) },
    { ...TABLE, kind: "html" },
    null,
  ])
    assert.equal(wrong([TABLE, other]), "item 2 is none");
  assert.match(wrong(`"${"x".repeat(13_000_000)}"`), /are allowed/);
});
