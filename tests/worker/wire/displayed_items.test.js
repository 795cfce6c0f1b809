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
