// @ts-check
/**
 * Places named in an answer, such as “line 1,730” or “page 417”, as buttons that open the source there. In: the nodes of an
 * answer, and its run. Out: the same with buttons. A place is one only where it is certain which source is meant: its name
 * stands in the same paragraph, or there is only one that has such places.
 */

import { suffixOf } from "./file_kind.js";
import { openSource, sourcesOf } from "./sources.js";

const PLACE = /\b(lines?|pages?)\s+(\d{1,3}(?:,\d{3})+|\d+)\b/gi;
const BLOCKS = "p, li, td, th, h1, h2, h3, h4, h5, h6, blockquote";

/** @param {DocumentFragment} answer @param {import("./types/run.js").RunView} run */
export function withPlaces(answer, run) {
  const names = [...sourcesOf(run.context).keys()];
  if (names.length === 0) return answer;
  const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const texts = [];
  while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
  for (const text of texts) {
    if (text.parentElement?.closest("code, pre, a, .math")) continue;
    const block = text.parentElement?.closest(BLOCKS)?.textContent ?? text.data;
    const parts = partsOf(text.data, (unit) => sourceOf(unit, block, names));
    if (parts.length > 1)
      text.replaceWith(...parts.map((part) => (typeof part === "string" ? part : buttonOf(part, run))));
  }
  return answer;
}

/** @typedef {{text: string, name: string, unit: string, number: number}} Place */

/** @param {string} text @param {(unit: string) => string | null} nameOf @returns {Array<string | Place>} */
function partsOf(text, nameOf) {
  /** @type {Array<string | Place>} */
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(PLACE)) {
    const unit = String(found[1]).toLowerCase().replace(/s$/, "");
    const name = nameOf(unit);
    if (name === null) continue;
    parts.push(text.slice(from, found.index));
    parts.push({ text: found[0], name, unit, number: Number(String(found[2]).replaceAll(",", "")) });
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}

/**
 * The source that a place is of; `null` where that is not certain.
 *
 * @param {string} unit
 * @param {string} block the paragraph
 * @param {readonly string[]} names
 */
export function sourceOf(unit, block, names) {
  const able = names.filter((name) => (suffixOf(name) === "pdf") === (unit === "page"));
  const said = able.filter((name) => block.includes(name) || block.includes(name.split("/").at(-1) ?? name));
  const [only, ...others] = said.length > 0 ? said : able;
  return only !== undefined && others.length === 0 ? only : null;
}

/** @param {Place} place @param {import("./types/run.js").RunView} run */
function buttonOf({ text, name, unit, number }, run) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "place-link";
  button.textContent = text;
  button.title = `Open ${name} there`;
  const at = unit === "page" ? { page: number } : { line: number };
  button.addEventListener("click", () => openSource({ context: run.context, name, at, run }));
  return button;
}
