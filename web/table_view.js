// @ts-check
/**
 * A displayed table. In: an item of kind table. Out: a box of fixed height in which only the rows in sight exist, however
 * many there are; its columns sort, and it is saved as CSV. Cells are text.
 */

import { html, useEffect, useMemo, useState } from "/vendor/preact.mjs";
import { count, plural } from "./format.js";
import { save } from "./save.js";
import { csvOf, openRows, orderOf } from "./table_rows.js";

/** @typedef {import("/rlm/wire/displayed_items.js").DisplayedTable} DisplayedTable */
/** @typedef {{column: number, isDescending: boolean}} Sorting */

const ROW_PIXELS = 26;
const SHOWN_ROWS = 12;
/** Browsers draw no element that is much taller; a longer table moves by several rows a pixel. */
const MOST_PIXELS = 8_000_000;
const WIDEST = 40;
const PROBED_ROWS = 50;

/** @param {{item: DisplayedTable}} props */
export function TableView({ item }) {
  const rows = useMemo(() => openRows(item), [item]);
  const widths = useMemo(() => widthsOf(rows), [rows]);
  const [first, setFirst] = useState(0);
  const [top, setTop] = useState(0);
  const [sorting, sort] = useState(/** @type {Sorting | null} */ (null));
  const order = useOrder(rows, sorting);
  const shown = Math.min(SHOWN_ROWS, rows.size);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const height = Math.min(rows.size * ROW_PIXELS, MOST_PIXELS);
  const label = item.title || `Table of ${plural(item.of, "row")}`;
  const scroll = (/** @type {Event} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget);
    const most = box.scrollHeight - box.clientHeight;
    setTop(box.scrollTop);
    setFirst(most <= 0 ? 0 : Math.round((box.scrollTop / most) * (rows.size - shown)));
  };
  const isSorted = order !== "sorting" && order !== null;
  const row = (/** @type {number} */ at) => rows.cells(isSorted ? Number(order[at]) : at);
  return html`<figure class="displayed">
    <figcaption>${label} <span class="muted">${sizeOf(item, rows.size)}</span></figcaption>
    <div class="table-view" tabindex="0" role="region" aria-label=${label} onScroll=${scroll}
      style=${{ height: `${(shown + 1) * ROW_PIXELS + 18}px` }}>
      <div class="table-height" style=${{ height: `${height + ROW_PIXELS}px` }}>
        <table style=${{ transform: `translateY(${top}px)`, width: `max(100%, ${total}ch)` }} aria-rowcount=${rows.size + 1}>
          <colgroup>${widths.map((width) => html`<col style=${{ width: `${width}ch` }} />`)}</colgroup>
          <thead><tr aria-rowindex="1">${item.columns.map(
            (name, at) => html`<${Heading} name=${name} sorting=${sorting?.column === at ? sorting : null}
              onSort=${() => sort(next(sorting, at))} />`,
          )}</tr></thead>
          <tbody>${Array.from({ length: Math.min(shown, rows.size - first) }, (_, at) => {
            const number = first + at;
            return html`<tr key=${at} aria-rowindex=${number + 2}>${row(number).map((text) => html`<td>${text}</td>`)}</tr>`;
          })}</tbody>
        </table>
      </div>
    </div>
    <p class="displayed-actions"><button type="button" class="quiet small" onClick=${() => saveRows(item, rows, isSorted ? order : null)}>Download as CSV</button>
      <span class="muted" role="status">${order === "sorting" ? "Sorting …" : ""}</span></p>
  </figure>`;
}

/** @param {{name: string, sorting: Sorting | null, onSort: () => void}} props */
function Heading({ name, sorting, onSort }) {
  const state = sorting === null ? "none" : sorting.isDescending ? "descending" : "ascending";
  const mark = sorting === null ? "" : sorting.isDescending ? " ▾" : " ▴";
  return html`<th scope="col" aria-sort=${state}><button type="button" title="Sort by ${name}" onClick=${onSort}>${name}${mark}</button></th>`;
}

/** Ascending, descending, as it came. @param {Sorting | null} sorting @param {number} column @returns {Sorting | null} */
function next(sorting, column) {
  if (sorting?.column !== column) return { column, isDescending: false };
  return sorting.isDescending ? null : { column, isDescending: true };
}

/** @param {import("./table_rows.js").Rows} rows @param {Sorting | null} sorting @returns {Uint32Array | "sorting" | null} */
function useOrder(rows, sorting) {
  const [order, setOrder] = useState(/** @type {Uint32Array | "sorting" | null} */ (null));
  useEffect(() => {
    let isWanted = true;
    setOrder(sorting === null ? null : "sorting");
    if (sorting !== null)
      void orderOf(rows, sorting.column, sorting.isDescending, () => isWanted).then(
        (sorted) => isWanted && setOrder(sorted),
      );
    return () => {
      isWanted = false;
    };
  }, [rows, sorting]);
  return order;
}

/** @param {DisplayedTable} item @param {number} kept */
function sizeOf({ of, columns }, kept) {
  const left = kept < of ? `, the first ${count(kept)} of them kept` : "";
  return `${plural(of, "row")}, ${plural(columns.length, "column")}${left}`;
}

/** Widths in characters, so that no column jumps while rows pass. @param {import("./table_rows.js").Rows} rows */
function widthsOf(rows) {
  const probed = Array.from({ length: Math.min(PROBED_ROWS, rows.size) }, (_, row) => rows.cells(row));
  return rows.columns.map((name, at) => {
    const widest = Math.max(name.length + 3, ...probed.map((cells) => cells[at]?.length ?? 0));
    return Math.min(widest, WIDEST) + 3;
  });
}

/** @param {DisplayedTable} item @param {import("./table_rows.js").Rows} rows @param {Uint32Array | null} order */
function saveRows(item, rows, order) {
  const name = item.title.replace(/[^\p{L}\p{N} _-]/gu, "").trim() || "table";
  save(new Blob(["\ufeff", ...csvOf(rows, order)], { type: "text/csv" }), `${name}.csv`);
}
