// @ts-check
// Displayed items: the values that a block showed to the person, as the core writes them (rlm_core/display.py).
//
// In: JSON text from the worker, which is untrusted. Out: items of known kinds with texts of bounded length, or why it is
// none. Nothing here is drawn: a picture stays base64, and is for an image element alone.

import { jsonIn } from "./json.js";

/**
 * @typedef {{kind: "table", title: string, columns: string[], text: string, rows: number, of: number}} DisplayedTable
 * @typedef {{name: string, x: number[], y: number[]}} ChartLine
 * @typedef {{x: string, labels: string[] | null, lines: ChartLine[]}} Chart points of a plot; the positions of each line rise
 * @typedef {{kind: "image", title: string, type: string, data: string, chart?: Chart}} DisplayedImage
 * @typedef {{kind: "json" | "markdown", title: string, text: string, of: number}} DisplayedText
 * @typedef {DisplayedTable | DisplayedImage | DisplayedText} DisplayedItem
 */

/** Characters of the JSON text: the core allows 6,000,000 of content, and JSON doubles those that it escapes. */
const MAX_CHARS = 13_000_000;
const MAX_ITEMS = 40;
const MAX_COLUMNS = 200;
const MAX_TITLE_CHARS = 200;
const IMAGE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"];
const MAX_LINES = 8;
const MAX_POINTS = 2_000;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * @param {string} text
 * @returns {{items: DisplayedItem[], wrong: string | null}}
 */
export function displayedItems(text) {
  if (text.length > MAX_CHARS) return none(`${text.length} characters; ${MAX_CHARS} are allowed`);
  const value = jsonIn(text);
  if (!Array.isArray(value) || value.length > MAX_ITEMS) return none("no list of items");
  const items = value.map(itemOf);
  const at = items.indexOf(null);
  return at === -1 ? { items: /** @type {DisplayedItem[]} */ (items), wrong: null } : none(`item ${at + 1} is none`);
}

/** @param {string} wrong */
function none(wrong) {
  return { items: [], wrong };
}

/** @param {unknown} value @returns {DisplayedItem | null} */
function itemOf(value) {
  const { kind, title, text, columns, rows, of, type, data, chart } = /** @type {Record<string, unknown>} */ (
    Object(value)
  );
  if (typeof title !== "string" || title.length > MAX_TITLE_CHARS) return null;
  if (kind === "image")
    return typeof type === "string" && IMAGE_TYPES.includes(type) && typeof data === "string" && BASE64.test(data)
      ? { kind, title, type, data, ...chartOf(chart) }
      : null;
  if (typeof text !== "string" || !isCount(of)) return null;
  if (kind === "json" || kind === "markdown") return { kind, title, text, of };
  if (kind !== "table" || !isCount(rows) || !Array.isArray(columns) || columns.length > MAX_COLUMNS) return null;
  return columns.every((name) => typeof name === "string") ? { kind, title, columns, text, rows, of } : null;
}

/** The points of a plot, where they are sound; its picture is shown in any case. @param {unknown} text */
function chartOf(text) {
  const { x, labels, lines } = /** @type {Record<string, unknown>} */ (
    Object(typeof text === "string" && jsonIn(text))
  );
  if (typeof x !== "string" || !(labels === null || isEach(labels, MAX_POINTS, isText))) return {};
  if (!isEach(lines, MAX_LINES, isLine) || lines.length === 0) return {};
  return { chart: { x, labels, lines } };
}

/** @param {unknown} value @returns {value is ChartLine} */
function isLine(value) {
  const { name, x, y } = /** @type {Record<string, unknown>} */ (Object(value));
  if (typeof name !== "string" || !isEach(x, MAX_POINTS, Number.isFinite) || !isEach(y, MAX_POINTS, Number.isFinite))
    return false;
  const places = /** @type {number[]} */ (x);
  return places.length === y.length && places.every((place, at) => at === 0 || place > places[at - 1]);
}

/**
 * @template T
 * @param {unknown} value
 * @param {number} most
 * @param {((each: unknown) => boolean) | ((each: unknown) => each is T)} isOne
 * @returns {value is T[]}
 */
function isEach(value, most, isOne) {
  return Array.isArray(value) && value.length <= most && value.every((each) => isOne(each));
}

/** @param {unknown} value @returns {value is string} */
function isText(value) {
  return typeof value === "string";
}

/** @param {unknown} value @returns {value is number} */
function isCount(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
