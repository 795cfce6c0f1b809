// @ts-check
/**
 * Sources: which text of which context is open, and at which place. In: a context, before a run or of one. Out: the request
 * that source_dialog.js draws. One is open at a time.
 */

import { changed } from "./state.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/**
 * A place: in bytes of a text, in characters of what is read of a document, or by its number or name.
 * @typedef {{byteStart: number, byteEnd: number} | {start: number, end: number} | {line: number} | {page: number, quote?: string} | {sheet: string} | null} At
 */
/** @typedef {{context: unknown, name: string, at: At, run: RunView | null}} Opened `run` is the one whose calls are painted over it */

/** @type {Opened | null} */
let opened = null;

export function openedSource() {
  return opened;
}

/** @param {{context: unknown, name: string, at?: At, run?: RunView | null}} source */
export function openSource({ context, name, at = null, run = null }) {
  opened = { context, name, at, run };
  changed();
}

export function closeSource() {
  opened = null;
  changed();
}

/** @type {{context: unknown, sources: Map<string, Blob>}} */
let last = { context: null, sources: new Map() };

/** The bytes of each text of a context, by the name that it has in the ledger. @param {unknown} context */
export function sourcesOf(context) {
  if (last.context !== context) last = { context, sources: namedBlobs(context) };
  return last.sources;
}

/** @param {unknown} context @returns {Map<string, Blob>} */
function namedBlobs(context) {
  if (context === null || context === undefined) return new Map();
  if (context instanceof Blob) return new Map([[nameOf(context), context]]);
  if (Array.isArray(context) && context.length > 0 && context.every((item) => item instanceof Blob))
    return new Map(context.map((file) => [nameOf(file), file]));
  const isBytes = context instanceof ArrayBuffer || ArrayBuffer.isView(context);
  const data = isBytes
    ? /** @type {ArrayBuffer} */ (context)
    : typeof context === "string"
      ? context
      : JSON.stringify(context);
  return new Map([["context", new Blob([data])]]);
}

/** @param {Blob} file */
function nameOf(file) {
  return file instanceof File ? file.webkitRelativePath || file.name : "file-1";
}
