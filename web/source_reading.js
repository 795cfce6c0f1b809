// @ts-check
/**
 * Reading of a source: its text and the ways to look at it. In: a file, or a text of a context. Out: its own bytes where it
 * is text in UTF-8, whatever its size; else the text that `read` gives of it in the REPL, made in a contained worker.
 * Nothing is sent.
 */

import { sourceText } from "/rlm/rlm.js";
import { ASSETS } from "./address.js";
import { probe, suffixOf } from "./file_kind.js";
import { count } from "./format.js";

/** @typedef {import("./source_search.js").Place} Place */
/** @typedef {"text" | "pages" | "tables" | "picture"} View */
/**
 * `isFile`: the text is the file's own bytes. `note` is a sentence on what is shown.
 * @typedef {object} Reading
 * @property {Blob | null} text
 * @property {boolean} isFile
 * @property {View[]} views the first is shown first
 * @property {number} pages of a PDF, else 0
 * @property {string} note
 * @property {(place: Place) => Promise<{number: number, quote: string}>} pageAt
 * @property {(number: number) => Promise<Place | null>} placeOfPage
 * @property {(start: number, end: number) => Promise<Place>} placeOfChars
 */

const TABLE_KINDS = /^(Excel|OpenDocument sheet|SQLite|Parquet)/;
const TABLE_SUFFIXES = ["csv", "tsv", "tab"];
const PAGE_MARK = /^\[page (\d+)\]$/gm;

/**
 * @param {string} name
 * @param {Blob} file
 * @param {AbortSignal} signal
 * @returns {Promise<Reading>}
 */
export async function openReading(name, file, signal) {
  const { label } = await probe(file instanceof File && file.name === name ? file : new File([file], name));
  if (label === "text" || label.endsWith(", text") || file.size === 0)
    return ofText(file, TABLE_SUFFIXES.includes(suffixOf(name)) ? ["text", "tables"] : ["text"]);
  if (label.includes("image")) return { ...ofText(null, ["picture"]), isFile: false };
  const { text, chars, pages, reason } = await sourceText(named(file, name), { assets: ASSETS, signal });
  const left = text.length < chars ? `The first ${count(text.length)} of ${count(chars)} characters. ` : "";
  /** @type {View[]} */
  const views = pages > 0 ? ["pages", "text"] : TABLE_KINDS.test(label) ? ["tables", "text"] : ["text"];
  if (text === "" && pages === 0) throw new Error(reason);
  const shown = text === "" ? views.filter((view) => view !== "text") : views;
  return { ...ofDocument(text, shown, pages), note: left + reason };
}

/** @param {Blob} file @param {string} name */
export function named(file, name) {
  return new File([file], name, { type: file.type });
}

/** @param {Blob | null} text @param {View[]} views @returns {Reading} */
function ofText(text, views) {
  return {
    text,
    isFile: true,
    views,
    pages: 0,
    note: "",
    pageAt: () => Promise.resolve({ number: 1, quote: "" }),
    placeOfPage: () => Promise.resolve(null),
    placeOfChars: (start, end) => Promise.resolve({ byteStart: start, byteEnd: end }),
  };
}

/** @param {string} text @param {View[]} views @param {number} pages @returns {Reading} */
function ofDocument(text, views, pages) {
  const blob = text === "" ? null : new Blob([text]);
  const marks = [...text.matchAll(PAGE_MARK)].map((found) => ({ number: Number(found[1]), at: found.index }));
  const bytesBefore = (/** @type {number} */ at) => new Blob([text.slice(0, at)]).size;
  return {
    ...ofText(blob, views),
    isFile: false,
    pages,
    async pageAt({ byteStart, byteEnd }) {
      if (blob === null) return { number: 1, quote: "" };
      const before = await blob.slice(0, byteStart).text();
      const quote = await blob.slice(byteStart, byteEnd).text();
      return { number: marks.findLast(({ at }) => at <= before.length)?.number ?? 1, quote };
    },
    async placeOfPage(number) {
      const mark = marks.find((each) => each.number === number);
      if (mark === undefined) return null;
      const byteStart = bytesBefore(mark.at);
      return { byteStart, byteEnd: byteStart + `[page ${number}]`.length };
    },
    async placeOfChars(start, end) {
      const [from, to] = [unitsOf(text, start), unitsOf(text, end)];
      return { byteStart: bytesBefore(from), byteEnd: bytesBefore(to) };
    },
  };
}

/** Position in JavaScript's units of one in characters. @param {string} text @param {number} chars */
function unitsOf(text, chars) {
  let at = 0;
  for (let left = chars; left > 0 && at < text.length; left -= 1) at += Number(text.codePointAt(at)) > 0xffff ? 2 : 1;
  return at;
}
