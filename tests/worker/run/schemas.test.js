// The page's validator on the table that the worker's own is tested with: both agree.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as library from "@cfworker/json-schema";

import { shapeOf } from "../../../worker/run/shape.js";

const table = JSON.parse(readFileSync(new URL("../../golden/schemas/table.json", import.meta.url), "utf8"));

test("schemas and values of the table", () => {
  const wrong = table.filter(
    ({ schema, value, fits }) => shapeOf(schema, library).fits(JSON.stringify(value)) !== fits,
  );
  assert.deepEqual(wrong, []);
});
