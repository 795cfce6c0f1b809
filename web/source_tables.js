// @ts-check
/**
 * The tables of a source: sheets of a workbook, a CSV, tables of a database. In: the file. Out: one of them at a time, as a
 * displayed table; they are read in a contained worker. Of a large CSV its beginning is read.
 */

import { sourceTables } from "/rlm/rlm.js";
import { html, useEffect, useState } from "/vendor/preact.mjs";
import { ASSETS } from "./address.js";
import { suffixOf } from "./file_kind.js";
import { bytes } from "./format.js";
import { named } from "./source_reading.js";
import { TableView } from "./table_view.js";

/** @typedef {import("/rlm/rlm.js").RLMTable} RLMTable */

const CSV_BYTES = 16 << 20;
const READING = "Reading its tables …";

/** @param {{name: string, file: Blob, sheet: string | null}} props */
export function SourceTables({ name, file, sheet }) {
  const [tables, setTables] = useState(/** @type {RLMTable[] | string} */ (READING));
  const [chosen, choose] = useState(sheet);
  useEffect(() => {
    const stop = new AbortController();
    beginning(name, file)
      .then((part) => sourceTables(named(part, name), { assets: ASSETS, signal: stop.signal }))
      .then(
        (read) => !stop.signal.aborted && setTables(read),
        (/** @type {Error} */ error) =>
          !stop.signal.aborted && setTables(`Its tables cannot be shown: ${error.message}`),
      );
    return () => stop.abort();
  }, [file]);
  if (typeof tables === "string") return html`<p class="muted" role="status">${tables}</p>`;
  const item = tables.find(({ title }) => title === chosen) ?? tables[0];
  if (item === undefined) return html`<p class="muted">It holds no table.</p>`;
  return html`<div class="source-tables">
    ${
      tables.length > 1 &&
      html`<div class="source-views" role="group" aria-label="Tables">${tables.map(
        ({ title }) =>
          html`<button type="button" class="small" aria-pressed=${String(title === item.title)} onClick=${() => choose(title)}>${title}</button>`,
      )}</div>`
    }
    ${isLong(name, file) && html`<p class="muted">Of its first ${bytes(CSV_BYTES)}.</p>`}
    <${TableView} key=${item.title} item=${item} />
  </div>`;
}

/** @param {string} name @param {Blob} file */
function isLong(name, file) {
  return file.size > CSV_BYTES && ["csv", "tsv", "tab"].includes(suffixOf(name));
}

/** All of it, or whole lines of a large CSV. @param {string} name @param {Blob} file @returns {Promise<Blob>} */
async function beginning(name, file) {
  if (!isLong(name, file)) return file;
  const read = new Uint8Array(await file.slice(0, CSV_BYTES).arrayBuffer());
  const end = read.lastIndexOf(10);
  return new Blob([end === -1 ? read : read.subarray(0, end + 1)]);
}
