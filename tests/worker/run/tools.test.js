// Tools: arguments and results cross as JSON text, and the log holds the text where JavaScript changes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openTools } from "../../../worker/run/tools.js";
import { jsonText } from "../../../worker/wire/json.js";

const EXACT = '{"args": [9007199254740993, {"10": 1.0, "2": null}], "kwargs": {"n": -0.0}}';

/** The answer to a call, and what was recorded of it. */
async function called(functions, name, args) {
  const recorded = [];
  const calls = { started: async (...start) => void recorded.push(start), finished: (end) => void recorded.push(end) };
  let reply = "";
  const answer = { write: (bytes) => (reply += new TextDecoder().decode(bytes)), end: () => {}, mark: () => "=mark" };
  const body = JSON.stringify({ op: "tool", name, arguments: args });
  const error = await openTools({ functions, calls })
    .handle(body, answer, [])
    .catch((fault) => fault);
  return { reply, recorded, error };
}

test("a function gets its arguments as JavaScript has them, and their text", async () => {
  const got = [];
  function f(...values) {
    got.push(values, this);
    return { sum: 1.5 };
  }
  const { reply, recorded } = await called({ f }, "f", '{"args": [1, "a"], "kwargs": {"b": true}}');
  assert.deepEqual(got[0], [1, "a", { b: true }]);
  assert.deepEqual(got[1], { args: [1, "a"], kwargs: { b: true } });
  assert.equal(got[1].json, '{"args": [1, "a"], "kwargs": {"b": true}}');
  assert.equal(reply, '{"sum":1.5}');
  const facts = { name: "f", args: [1, "a"], kwargs: { b: true }, result: { sum: 1.5 }, error: null };
  assert.deepEqual(recorded, [
    ["f", { mark: "=mark", again: false }],
    { ...facts, arguments_json: null, result_json: null },
  ]);
});

test("JSON text goes back as it is, and into the log where JavaScript changes it", async () => {
  function echo() {
    return jsonText(this.json);
  }
  const { reply, recorded } = await called({ echo }, "echo", EXACT);
  assert.equal(reply, EXACT);
  assert.deepEqual([recorded[1].arguments_json, recorded[1].result_json], [EXACT, EXACT]);
});

test("a function without a result gives null, and one whose result is no JSON has failed", async () => {
  assert.equal((await called({ f: () => {} }, "f", '{"args": [], "kwargs": {}}')).reply, "null");
  const { error, recorded } = await called({ f: () => jsonText("{") }, "f", '{"args": [], "kwargs": {}}');
  assert.match(error.message, /^the result of f is not JSON/);
  assert.equal(recorded[1].error, error.message);
});

test("arguments of another form are refused", async () => {
  for (const args of ["[]", "7", '{"args": {}, "kwargs": {}}', '{"args": [], "kwargs": []}'])
    assert.equal((await called({ f: () => 1 }, "f", args)).error.name, "ProtocolError");
});
