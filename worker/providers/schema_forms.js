// @ts-check
// Schema forms: the fields by which a vendor keeps a reply to a JSON Schema.
//
// In: the schema of a call. Out: fields for the body; none where the vendor is known to refuse the schema: the prompt ends
// with it too, and whoever asked checks the reply. The same rules as server/rlm_server/providers/structured_output.py.

import { fieldsOf } from "../wire/schema.js";

/** @typedef {{[keyword: string]: unknown}} Schema */

const PARTS_BY_NAME = ["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"];
const PARTS_IN_ORDER = ["allOf", "anyOf", "oneOf", "prefixItems"];
const PARTS = ["items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"];

/** @param {Schema | null} schema */
export function openaiForm(schema) {
  if (schema === null || schema.type !== "object") return {};
  return { response_format: { type: "json_schema", json_schema: { name: "reply", schema, strict: isStrict(schema) } } };
}

/** @param {Schema | null} schema */
export function anthropicForm(schema) {
  if (schema === null || !objectsOf(schema).every((part) => part.additionalProperties === false)) return {};
  return { format: { type: "json_schema", schema } };
}

/**
 * Whether OpenAI can hold a reply to the letter of `schema`: each object is closed, and requires all that it names.
 * @param {Schema} schema
 */
function isStrict(schema) {
  return objectsOf(schema).every((part) => {
    const [required, named] = [new Set(Object.values(fieldsOf(part.required))), Object.keys(fieldsOf(part.properties))];
    return part.additionalProperties === false && named.length === required.size && named.every((x) => required.has(x));
  });
}

/**
 * The parts of `schema` that are about objects, itself among them.
 * @param {Schema} schema
 */
function objectsOf(schema) {
  /** @type {Schema[]} */
  const found = [];
  /** @type {unknown[]} */
  const left = [schema];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
    const part = fieldsOf(value);
    if (part.type === "object" || "properties" in part) found.push(part);
    for (const keyword of PARTS_BY_NAME) left.push(...Object.values(fieldsOf(part[keyword])));
    for (const keyword of PARTS_IN_ORDER) if (Array.isArray(part[keyword])) left.push(...part[keyword]);
    for (const keyword of PARTS) if (keyword in part) left.push(part[keyword]);
  }
  return found;
}
