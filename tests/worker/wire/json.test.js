// JSON text: which texts JavaScript keeps, which values are text, and which are refused by their name.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isKeptByJavaScript, jsonText, textOfJson } from "../../../worker/wire/json.js";

for (const text of [
  "1",
  "[1, 2.5, -3, 1e+21, 1e-7]",
  '{"a": "1.0 \\" 2.0", "b": null}',
  '{"1a": 1, "-1": 2}',
  '"10": 3'.slice(6),
])
  test(`${text} is kept`, () => assert.ok(isKeptByJavaScript(text)));

for (const text of ["1.0", "-0.0", "-0", "9007199254740993", "1e400", '{"10": 1, "2": 1}', '[{"0" : "x"}]'])
  test(`${text} is changed`, () => assert.ok(!isKeptByJavaScript(text)));

test("a value is written as JSON, and JSON text stays as it is", () => {
  assert.equal(textOfJson({ a: [1, null] }, "x"), '{"a":[1,null]}');
  assert.equal(textOfJson(jsonText('{"a": 1.0}'), "x"), '{"a": 1.0}');
});

test("text that is no JSON is refused by its name", () => {
  assert.throws(() => textOfJson(jsonText("{"), "the value"), {
    name: "ConfigError",
    message: /^the value is not JSON: /,
  });
  assert.throws(() => jsonText(7), { name: "ConfigError", message: "jsonText takes text or a Blob, not 7." });
  assert.throws(() => textOfJson(jsonText(new Blob(["1"])), "x"), /^ConfigError: x is a Blob/);
});

test("a string of any length is passed over, whatever it holds", () => {
  for (const part of ["x", '\\"']) {
    const long = part.repeat(1.2e7 / part.length);
    assert.ok(isKeptByJavaScript(`["${long}", 1]`), part);
    assert.ok(!isKeptByJavaScript(`["${long}", 1.0]`), part);
  }
});
