// @ts-check
/**
 * The context of the next run: pasted text, files, folders, samples. In: text and files that were pasted, dropped or chosen.
 * Out: the value that `RLM.run` takes, and its size and kind in words. Files are probed, not read: their bytes go to the worker.
 */

import { bytes, count, plural } from "./format.js";

/**
 * A file, or a folder with all its files. `kind` says which, in words.
 * @typedef {{id: number, name: string, files: readonly File[], kind: string}} Attachment
 */
/** @typedef {string | File | File[] | null} Context */

const PROBED_BYTES = 64 * 1024;
/** Longer pastes become an attachment: a text box that holds megabytes makes the tab crawl. */
export const MOST_TYPED_CHARS = 200_000;

let lastId = 0;

/**
 * Check that `file` can be read, and name its kind.
 *
 * @param {File} file
 * @returns {Promise<Attachment>} rejects with the browser's NotReadableError or NotFoundError
 */
export async function attach(file) {
  const start = new Uint8Array(await file.slice(0, PROBED_BYTES).arrayBuffer());
  return attachment(file.name, [file], kindOf(file, start));
}

/** @param {string} text @returns {Promise<Attachment>} */
export function attachPasted(text) {
  return attach(new File([text], `pasted-${lastId + 1}.txt`, { type: "text/plain" }));
}

/** @param {import("./folders.js").Folder} folder @returns {Attachment} */
export function attachFolder({ name, files, hidden }) {
  const left = hidden === 0 ? "" : `, ${count(hidden)} hidden left out`;
  return attachment(`${name}/`, files, `folder of ${plural(files.length, "file")}${left}`);
}

/** @param {string} name @param {readonly File[]} files @param {string} kind @returns {Attachment} */
function attachment(name, files, kind) {
  lastId += 1;
  return { id: lastId, name, files, kind };
}

/**
 * @param {string} typed
 * @param {readonly Attachment[]} attachments
 * @returns {Context} `null` when there is none
 */
export function contextValue(typed, attachments) {
  const files = attachments.flatMap((attachment) => attachment.files);
  if (files.length === 0) return typed || null;
  if (typed) files.unshift(new File([typed], "pasted.txt", { type: "text/plain" }));
  return files.length === 1 ? (files[0] ?? null) : files;
}

/**
 * Size and kind, for one line of the page.
 *
 * @param {unknown} context anything that `RLM.run` takes
 */
export function describeContext(context) {
  if (context === null || context === undefined) return "no context";
  if (typeof context === "string") return `text of ${plural(context.length, "character")}`;
  if (context instanceof File) return `${context.name}, ${bytes(context.size)}`;
  if (Array.isArray(context) && context.length > 0 && context.every((item) => item instanceof File))
    return `${plural(context.length, "file")}, ${bytes(sizeOf(context))}`;
  if (context instanceof ArrayBuffer || ArrayBuffer.isView(context)) return `${count(context.byteLength)} bytes`;
  return Array.isArray(context) ? `JSON list of ${plural(context.length, "item")}` : "a JSON value";
}

/** @param {readonly File[]} files */
export function sizeOf(files) {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/** @param {File} file @param {Uint8Array} start */
function kindOf(file, start) {
  const suffix = /\.([a-z0-9]{1,8})$/i.exec(file.name)?.[1];
  const form = isText(start) ? "text" : "binary";
  return suffix && suffix.toLowerCase() !== "txt" ? `${suffix.toUpperCase()}, ${form}` : form;
}

/** Text has no NUL byte near its start. @param {Uint8Array} start */
function isText(start) {
  return !start.includes(0);
}
