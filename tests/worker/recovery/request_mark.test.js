// Request marks: equal values have the same mark, whatever the order of their keys; marks of earlier logs are still known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasMark, readRequest } from "../../../worker/recovery/request_mark.js";

const NO_DATA = [];

async function markOf(body, data = NO_DATA) {
  return (await readRequest(body, data)).mark();
}

test("the order of keys and the spaces between them make no difference", async () => {
  const one = '{"op": "tool", "name": "f", "args": [1, {"a": 1, "b": [true, null]}]}';
  const other = '{"args":[1,{"b":[true,null],"a":1}],"name":"f","op":"tool"}';
  assert.equal(await markOf(one), await markOf(other));
});

test("other values have other marks", async () => {
  const bodies = [
    "1",
    '"1"',
    "[1]",
    '{"1": 1}',
    "[1, 1]",
    "[11]",
    "null",
    '"null"',
    '["a", "b"]',
    '["ab"]',
    "-0.0",
    "0",
  ];
  const marks = new Set(await Promise.all(bodies.map((body) => markOf(body))));
  assert.equal(marks.size, bodies.length);
});

test("the bytes beside a request count", async () => {
  const bytes = (text) => [new TextEncoder().encode(text).buffer];
  assert.equal(await markOf("1", bytes("a")), await markOf("1", bytes("a")));
  assert.notEqual(await markOf("1", bytes("a")), await markOf("1", bytes("b")));
});

test("a mark of a log of before, which is made of the text, is that of the same text only", async () => {
  const body = '{"op": "tool", "name": "tick", "args": [], "kwargs": {}}';
  const request = await readRequest(body, NO_DATA);
  assert.equal(request.textMark(), "56-26r7dsy7n97");
  assert.ok(hasMark(request, request.textMark()));
  assert.ok(!hasMark(await readRequest(`${body} `, NO_DATA), request.textMark()));
});
