// @ts-check
// Shape: the JSON Schema of a run's answer, applied on the page.
//
// In: the schema, and values as JSON text: those that the worker asks about, and the one that it ends with. Out: sentences
// on how a value differs, in words that a model can act on. The worker is untrusted, so the last word is here. The
// validator interprets the schema (draft 2020-12) and compiles no code, which the page's policy would forbid.

import { configError, protocolError } from "../wire/errors.js";
import { SHAPE_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {{keyword: string, instanceLocation: string, error: string}} Difference
 * @typedef {{validate: (value: unknown) => {valid: boolean, errors: Difference[]}}} Validator
 * @typedef {{[keyword: string]: unknown, __absolute_ref__?: string}} SubSchema
 * @typedef {object} Library
 * @property {new (schema: unknown, draft: "2020-12", shortCircuit: boolean) => Validator} Validator
 * @property {(schema: unknown) => Record<string, SubSchema | boolean>} dereference by URI, each schema within it too
 * @typedef {ReturnType<typeof shapeOf>} Shape
 */

const MAX_VALUE_CHARS = 2 << 20;
const MAX_DIFFERENCES = 20;
const TYPES = ["null", "boolean", "object", "array", "number", "integer", "string"];
const SHAPE_REQUEST = '{"op": "shape"';
/** Keywords of earlier drafts and of OpenAPI, which would be ignored, and those that took their place. @type {Record<string, string>} */
const OTHER_DRAFTS = {
  additionalItems: "items, after prefixItems",
  dependencies: "dependentRequired or dependentSchemas",
  nullable: 'null in type: ["string", "null"]',
};
/** Keywords whose schemas are of the same value. */
const SAME_VALUE = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
/** Keywords whose differences are those of the parts that they apply to. */
const OF_PARTS = ["properties", "patternProperties", "additionalProperties", "items", "prefixItems", "allOf", "$ref"];

/**
 * @param {Json} schema
 * @param {string} url of the validator's module
 * @returns {Promise<Shape>} rejects with a ConfigError where the schema is impossible
 */
export async function openShape(schema, url) {
  /** @type {Library} */
  const library = await import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ url);
  return shapeOf(schema, library);
}

/**
 * @param {Json} schema
 * @param {Library} library
 */
export function shapeOf(schema, library) {
  const validator = usable(schema, library);

  /**
   * @param {string} text
   * @returns {string[]}
   */
  const differences = (text) => {
    if (text.length > MAX_VALUE_CHARS)
      return [`it has ${text.length} characters as JSON, and ${MAX_VALUE_CHARS} are the most`];
    const { valid, errors } = validator.validate(JSON.parse(text));
    return valid ? [] : sentences(errors);
  };
  return {
    differences,
    /** Whether a value that the worker ends with is one, and fits. @param {string | null} text */
    fits(text) {
      try {
        return text !== null && differences(text).length === 0;
      } catch (error) {
        if (error instanceof SyntaxError) return false;
        throw error;
      }
    },
  };
}

/**
 * `handler`, with the worker's questions about values answered here: they are no part of the log, as the answer is always
 * the same.
 * @param {Shape | null} shape
 * @param {Handler} handler
 * @returns {Handler}
 */
export function withShape(shape, handler) {
  return async (body, answer, data) => {
    if (!body.startsWith(SHAPE_REQUEST)) return handler(body, answer, data);
    const request = JSON.parse(body);
    const wrong = mismatch(SHAPE_SCHEMA, request, "request");
    if (wrong !== null || shape === null) throw protocolError(`${wrong ?? "the run has no schema"}.`);
    answer.write(new TextEncoder().encode(JSON.stringify(shape.differences(request.value))));
    answer.end();
  };
}

/**
 * The validator of a schema. References that lead nowhere, and patterns that are none, would show in use only: they are
 * looked for first.
 * @param {Json} schema
 * @param {Library} library
 */
function usable(schema, { Validator, dereference }) {
  if (typeof schema !== "boolean" && (typeof schema !== "object" || schema === null || Array.isArray(schema)))
    throw configError(`schema must be a JSON Schema, an object or a boolean, not ${JSON.stringify(schema)}.`);
  try {
    const parts = dereference(structuredClone(schema));
    for (const part of Object.values(parts)) if (typeof part === "object") checkPart(part, parts);
    const ended = new Set();
    for (const part of Object.values(parts)) checkEnd(part, parts, new Set(), ended);
    const validator = new Validator(structuredClone(schema), "2020-12", false);
    validator.validate(null);
    return validator;
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0].trim() : String(error);
    throw configError(`schema is no JSON Schema that can be applied: ${why}`);
  }
}

/**
 * @param {SubSchema} part
 * @param {Record<string, unknown>} parts
 */
function checkPart({ $ref, __absolute_ref__: reference, pattern, patternProperties, type, items, ...others }, parts) {
  const other = Object.keys(OTHER_DRAFTS).find((keyword) => Object.hasOwn(others, keyword));
  if (other !== undefined) throw new Error(`"${other}" is no keyword of draft 2020-12, use ${OTHER_DRAFTS[other]}`);
  if (Array.isArray(items))
    throw new Error('"items" must be one schema; a list of them is prefixItems in draft 2020-12');

  if (typeof $ref === "string" && parts[reference ?? $ref] === undefined) throw new Error(`"${$ref}" leads nowhere`);
  const patterns = [...(typeof pattern === "string" ? [pattern] : []), ...Object.keys(Object(patternProperties))];
  for (const each of patterns) new RegExp(each, "u");
  const unknown = type === undefined ? undefined : [type].flat().find((name) => !TYPES.includes(String(name)));
  if (unknown !== undefined) throw new Error(`there is no type ${JSON.stringify(unknown)}`);
}

/**
 * References that lead back to themselves over the same value would have no end.
 * @param {unknown} part
 * @param {Record<string, unknown>} parts
 * @param {Set<unknown>} path
 * @param {Set<unknown>} ended
 */
function checkEnd(part, parts, path, ended) {
  if (typeof part !== "object" || part === null || ended.has(part)) return;
  if (path.has(part)) throw new Error("a reference leads back to itself without end");
  path.add(part);
  const { $ref, __absolute_ref__: reference, ...others } = /** @type {SubSchema} */ (part);
  if (typeof $ref === "string") checkEnd(parts[reference ?? $ref], parts, path, ended);
  for (const keyword of SAME_VALUE) for (const inner of [others[keyword]].flat()) checkEnd(inner, parts, path, ended);
  path.delete(part);
  ended.add(part);
}

/**
 * The innermost differences, with their places: `$.total: Instance type "string" is invalid. Expected "number".`
 * @param {Difference[]} errors
 */
function sentences(errors) {
  const own = errors.filter(({ keyword }) => !OF_PARTS.includes(keyword));
  const listed = (own.length > 0 ? own : errors).map(({ keyword, instanceLocation, error }) => {
    const what = keyword === "false" ? "it is not allowed here" : error.replace(/\.$/, "");
    return `${placeOf(instanceLocation)}: ${what}`;
  });
  return [...new Set(listed)].slice(0, MAX_DIFFERENCES);
}

/**
 * `#/names/0` as `$.names[0]`.
 * @param {string} pointer
 */
function placeOf(pointer) {
  const parts = pointer.split("/").slice(1);
  const names = parts.map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  return `$${names.map((name) => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`)).join("")}`;
}
