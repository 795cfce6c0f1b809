// @ts-check
/**
 * Displayed values of an answer as Markdown. In: the items. Out: parts of a report: tables with their first rows, pictures
 * within the text, JSON as code.
 */

import { count, plural } from "./format.js";
import { inert } from "./report_facts.js";
import { openRows } from "./table_rows.js";

/** @typedef {import("/rlm/wire/displayed_items.js").DisplayedItem} DisplayedItem */

const MOST_ROWS = 20;

/** @param {readonly DisplayedItem[]} items @returns {string[]} */
export function displaysInMarkdown(items) {
  return items.flatMap((item) => [...(item.title === "" ? [] : [`### ${line(item.title)}`]), ...partsOf(item)]);
}

/** @param {DisplayedItem} item @returns {string[]} */
function partsOf(item) {
  if (item.kind === "image") return [`![${line(item.title)}](data:${item.type};base64,${item.data})`];
  if (item.kind === "markdown") return [inert(item.text)];
  if (item.kind === "table") return tableOf(item);
  let fence = "```";
  while (item.text.includes(fence)) fence += "`";
  return [`${fence}json\n${item.text}\n${fence}`];
}

/** @param {import("/rlm/wire/displayed_items.js").DisplayedTable} item @returns {string[]} */
function tableOf(item) {
  const rows = openRows(item);
  const shown = Math.min(MOST_ROWS, rows.size);
  const lines = [
    item.columns,
    item.columns.map(() => "---"),
    ...Array.from({ length: shown }, (_, at) => rows.cells(at)),
  ];
  const table = lines.map((cells) => `| ${cells.map(line).join(" | ")} |`).join("\n");
  return [table, ...(shown < item.of ? [`The first ${count(shown)} of ${plural(item.of, "row")}.`] : [])];
}

/** Text of one cell, or of a heading. @param {string} text */
function line(text) {
  return inert(text.split(/\s+/).join(" ").trim()).replaceAll("|", "\\|");
}
