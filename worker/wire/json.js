// @ts-check
// JSON: whether a value can cross as JSON without loss, and JSON text that crosses as it is.
//
// In: any value and its name, or JSON text. Out: JSON text, or a ConfigError that names the part which is no JSON.
// JSON.stringify drops functions, turns dates into text and NaN into null; here they are refused by name. JSON text of
// another language is carried unparsed: JavaScript's numbers cannot hold each of its own, and sort some keys.

import { configError } from "./errors.js";

/** @typedef {import("./protocol.js").Json} Json */

/** JSON text that is parsed by its receiver alone; see `jsonText`. */
export class JsonText {
  /** @param {string | Blob} text */
  constructor(text) {
    this.text = text;
  }
}

/**
 * A JSON value as its text, or as a Blob of UTF-8: a context, a tool's value or a tool's result that model code gets
 * exactly, with numbers and the order of keys as they are in the text.
 * @param {string | Blob} text
 */
export function jsonText(text) {
  if (typeof text !== "string" && !(text instanceof Blob))
    throw configError(`jsonText takes text or a Blob, not ${describe(text)}.`);
  return new JsonText(text);
}

/**
 * The value of JSON text that others wrote.
 * @param {string} text
 * @returns {unknown} undefined for text that is no JSON
 */
export function jsonIn(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {string} JSON text of a value, or the one that it is
 */
export function textOfJson(value, name) {
  if (!(value instanceof JsonText)) return JSON.stringify(checkedJson(value, name));
  if (typeof value.text !== "string") throw configError(`${name} is a Blob: JSON text can be one in a context only.`);
  checkText(value.text, name);
  return value.text;
}

/**
 * @param {string} text
 * @param {string} name
 */
export function checkText(text, name) {
  try {
    JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw configError(`${name} is not JSON: ${error.message}.`);
  }
}

const NUMBERS = /-?\d[\d.eE+-]*/g;
const SORTED_KEY = /"(?:0|[1-9]\d*)"\s*:/;

/** Whether JavaScript reads and writes JSON text without a change: of numbers, or of the order of keys. */
export function isKeptByJavaScript(/** @type {string} */ text) {
  if (SORTED_KEY.test(text)) return false;
  const isKept = (/** @type {string} */ number) => String(Number(number)) === number;
  for (const part of outsideStrings(text)) if (!(part.match(NUMBERS) ?? []).every(isKept)) return false;
  return true;
}

/**
 * The parts of JSON text between its strings. A regular expression would pass each character of a string on the stack, and
 * one of 10 MB is more than that holds.
 * @param {string} text
 */
function* outsideStrings(text) {
  let at = 0;
  for (let quote = text.indexOf('"'); quote >= 0; quote = text.indexOf('"', at)) {
    yield text.slice(at, quote);
    at = endOfString(text, quote);
  }
  yield text.slice(at);
}

/**
 * @param {string} text
 * @param {number} quote where a string begins
 * @returns {number} the place after its last quote
 */
function endOfString(text, quote) {
  for (let end = text.indexOf('"', quote + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slash = end;
    while (text[slash - 1] === "\\") slash -= 1;
    if ((end - slash) % 2 === 0) return end + 1;
  }
  return text.length;
}

/**
 * @param {any} value
 * @param {string} name
 * @returns {Json}
 */
export function checkedJson(value, name) {
  check(value, name, new Set());
  return value;
}

/**
 * @param {unknown} value
 * @param {string} name
 * @param {Set<object>} around the objects that hold this one
 */
function check(value, name, around) {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (typeof value !== "object") throw configError(`${name} is ${describe(value)}, which is not JSON.`);
  if (around.has(value)) throw configError(`${name} contains itself, which is not JSON.`);
  if (!Array.isArray(value) && !isPlain(value)) throw configError(`${name} is ${describe(value)}, which is not JSON.`);
  around.add(value);
  for (const [key, item] of Object.entries(value))
    check(item, Array.isArray(value) ? `${name}[${key}]` : `${name}.${key}`, around);
  around.delete(value);
}

/** @param {object} value */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @param {unknown} value */
function describe(value) {
  if (typeof value === "number" || value === undefined) return String(value);
  return typeof value === "object" ? `a ${value?.constructor?.name ?? "special object"}` : `a ${typeof value}`;
}
