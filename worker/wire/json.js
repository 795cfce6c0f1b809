// @ts-check
// JSON: whether a value can cross as JSON without loss.
//
// In: any value and its name. Out: the value, or a ConfigError that says where in it something else is.
// JSON.stringify drops functions, turns dates into text and NaN into null; here they are refused by name.

import { configError } from "./errors.js";

/** @typedef {import("./protocol.js").Json} Json */

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
