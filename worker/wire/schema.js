// @ts-check
// Schema: checks a value against a shape of protocol.js.
//
// In: a schema and anything. Out: where the value differs, as a sentence, or null. Fields beside the schema's are no
// difference: they are named, or left out. A missing field that may be null is null.

/** @typedef {import("./protocol.js").Schema} Schema */

/**
 * @param {Schema} schema
 * @param {unknown} value
 * @param {string} where name of the value, for the sentence
 * @returns {string | null}
 */
export function mismatch(schema, value, where) {
  if (schema === "json") return null;
  if (typeof schema === "string") return typeof value === schema ? null : `${where} is not a ${schema}`;
  const [tag, inner] = schema;
  if (tag === "nullable") return value === null || value === undefined ? null : mismatch(inner, value, where);
  if (tag === "one") return inner.includes(value) ? null : `${where} is none of ${inner.join(", ")}`;
  if (tag === "list" && !Array.isArray(value)) return `${where} is not a list`;
  if (typeof value !== "object" || value === null) return `${where} is not an object`;
  const fields = fieldsOf(value);
  if (tag === "struct") return first(Object.keys(inner), (key) => mismatch(inner[key], fields[key], `${where}.${key}`));
  return first(Object.keys(fields), (key) => mismatch(inner, fields[key], `${where}.${key}`));
}

/**
 * The fields of anything, none of them checked; a value that is no object has none.
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function fieldsOf(value) {
  return Object(value);
}

/**
 * @param {string[]} keys
 * @param {(key: string) => string | null} check
 */
function first(keys, check) {
  for (const key of keys) {
    const difference = check(key);
    if (difference !== null) return difference;
  }
  return null;
}

/**
 * `value` with the fields that its schema names, and no others.
 * @param {Schema} schema
 * @param {unknown} value fits the schema
 * @returns {unknown}
 */
export function picked(schema, value) {
  if (typeof schema === "string" || value === null) return value;
  const [tag, inner] = schema;
  if (tag === "nullable") return picked(inner, value ?? null);
  if (tag === "list") return /** @type {unknown[]} */ (value).map((item) => picked(inner, item));
  if (tag !== "struct") return value;
  const fields = /** @type {Record<string, unknown>} */ (value);
  return Object.fromEntries(Object.keys(inner).map((key) => [key, picked(inner[key], fields[key])]));
}

/**
 * Names of the fields that `picked` leaves out, each once.
 * @param {Schema} schema
 * @param {unknown} value fits the schema
 * @param {string} where name of the value
 * @returns {string[]}
 */
export function unknownFields(schema, value, where) {
  return [...new Set(unknownIn(schema, value, where))];
}

/** @returns {string[]} */
function unknownIn(/** @type {Schema} */ schema, /** @type {unknown} */ value, /** @type {string} */ where) {
  if (typeof schema === "string" || value === null) return [];
  const [tag, inner] = schema;
  if (tag === "nullable") return unknownIn(inner, value, where);
  if (tag === "list") return /** @type {unknown[]} */ (value).flatMap((item) => unknownIn(inner, item, where));
  if (tag !== "struct") return [];
  return Object.entries(/** @type {Record<string, unknown>} */ (value)).flatMap(([key, field]) =>
    Object.hasOwn(inner, key) ? unknownIn(inner[key], field, `${where}.${key}`) : [`${where}.${key}`],
  );
}
