import assert from "node:assert/strict";
import { test } from "node:test";
import * as library from "@cfworker/json-schema";

import { shapeOf, withShape } from "../../../worker/run/shape.js";

const LEASE = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: { total: { type: "number", minimum: 0 }, names: { type: "array", items: { type: "string" } } },
  required: ["total"],
  additionalProperties: false,
};
function differences(schema, value) {
  return shapeOf(schema, library).differences(JSON.stringify(value));
}

test("a value that fits has no differences, any other has them with their places", () => {
  assert.deepEqual(differences(LEASE, { total: 3, names: ["a"] }), []);
  assert.deepEqual(differences(LEASE, { total: "3", names: [1], more: 1 }), [
    '$.total: Instance type "string" is invalid. Expected "number"',
    '$.names[0]: Instance type "number" is invalid. Expected "string"',
    "$.more: it is not allowed here",
  ]);
  assert.deepEqual(differences(LEASE, {}), ['$: Instance does not have required property "total"']);
});

test("draft 2020-12 is applied where other validators ignore it", () => {
  const cases = [
    [{ prefixItems: [{ type: "string" }, { type: "integer" }], items: false }, ["a", 1], true],
    [{ dependentRequired: { total: ["currency"] } }, { total: 3 }, false],
    [{ contains: { type: "integer" }, minContains: 2 }, [1, "a"], false],
    [{ properties: { a: {} }, unevaluatedProperties: false }, { b: 1 }, false],
    [{ $defs: { n: { type: "integer" } }, $ref: "#/$defs/n", minimum: 5 }, 3, false],
    [{ type: "integer" }, 1.0, true],
    [true, { any: "thing" }, true],
    [false, 1, false],
  ];
  for (const [schema, value, fits] of cases)
    assert.equal(shapeOf(schema, library).fits(JSON.stringify(value)), fits, JSON.stringify(schema));
});

test("a schema that cannot be applied is refused before anything runs", () => {
  for (const schema of [
    [],
    5,
    { $ref: "#/$defs/nowhere" },
    { pattern: "(" },
    { properties: { a: { pattern: "[" } } },
    { items: { type: "text" } },
    { properties: { a: { type: "string", nullable: true } } },
    { dependencies: { a: ["b"] } },
    { items: [{ type: "string" }], additionalItems: false },
    { items: [{ type: "string" }] },
    { $ref: "#" },
    {
      properties: { a: { $ref: "#/$defs/x" } },
      $defs: { x: { $ref: "#/$defs/y" }, y: { allOf: [{ $ref: "#/$defs/x" }] } },
    },
  ])
    assert.throws(() => shapeOf(schema, library), { name: "ConfigError", message: /schema/ }, JSON.stringify(schema));
});

test("what the worker ends with is believed if it is JSON and fits", () => {
  const { fits } = shapeOf(LEASE, library);
  assert.deepEqual([fits('{"total": 1}'), fits('{"total": "1"}'), fits("{"), fits(null)], [true, false, false, false]);
});

test("questions about values are answered here, all other requests go on", async () => {
  const written = [];
  const answer = { write: (bytes) => written.push(new TextDecoder().decode(bytes)), end: () => written.push("end") };
  const passed = [];
  const handler = withShape(shapeOf(LEASE, library), async (body) => void passed.push(body));
  await handler('{"op": "shape", "value": "{}"}', answer, []);
  assert.deepEqual(written, ['["$: Instance does not have required property \\"total\\""]', "end"]);
  await handler('{"op": "complete"}', answer, []);
  assert.deepEqual(passed, ['{"op": "complete"}']);
  await assert.rejects(withShape(null, async () => {})('{"op": "shape", "value": "{}"}', answer, []), /no schema/);
});
