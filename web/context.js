// @ts-check
/**
 * The context of the next run: pasted text, files, folders, samples. In: text and files that were pasted, dropped or chosen.
 * Out: the value that `RLM.run` takes, and its size and kind in words. Files are probed, not read: their bytes go to the
 * worker.
 */

import { isDocument, probe, suffixOf } from "./file_kind.js";
import { turn } from "./folders.js";
import { bytes, count, plural } from "./format.js";

/**
 * A file, or a folder with all its files. `kind` is its kind in words; `faults` are sentences on files that are empty,
 * broken or misnamed; `at` is its position in the list before a reload.
 * @typedef {{id: number, name: string, files: readonly File[], kind: string, faults: readonly string[], at?: number}} Attachment
 */
/** @typedef {string | File | File[] | null} Context */

const PROBED_AT_ONCE = 16;
const SIZES_AT_ONCE = 100;
const MOST_PROBED = 500;
const MOST_FAULTS = 5;
const MOST_SUFFIXES = 4;
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
  const { label, fault } = await probe(file);
  return attachment(file.name, [file], label, fault === "" ? [] : [fault]);
}

/** @param {string} text @returns {Promise<Attachment>} */
export function attachPasted(text) {
  return attach(new File([text], `pasted-${lastId + 1}.txt`, { type: "text/plain" }));
}

/**
 * Attach a folder; of its documents, up to `MOST_PROBED`, both ends are read, so that a broken one is known.
 *
 * @param {import("./folders.js").Folder} folder
 * @returns {Promise<Attachment>}
 */
export async function attachFolder({ name, files, hidden }) {
  const left = hidden === 0 ? "" : `${plural(hidden, "hidden name")}, `;
  const kind = `folder of ${plural(files.length, "file")} (${suffixes(files)}); left out: ${left}links`;
  return attachment(`${name}/`, files, kind, await faultsOf(files));
}

/** @param {readonly File[]} files */
async function faultsOf(files) {
  const { faults, documents } = await sorted(files);
  for (let at = 0; at < documents.length; at += PROBED_AT_ONCE)
    faults.push(...(await Promise.all(documents.slice(at, at + PROBED_AT_ONCE).map(faultIn))).filter(Boolean));
  const more = faults.length - MOST_FAULTS;
  return more > 0
    ? [...faults.slice(0, MOST_FAULTS), `${plural(more, "more file")} ${more === 1 ? "is" : "are"} empty or broken.`]
    : faults;
}

/**
 * The faults of empty files, and the documents that are to be probed. The browser looks the size of a chosen file up on
 * disk, so that the page's other tasks come between.
 *
 * @param {readonly File[]} files
 */
async function sorted(files) {
  /** @type {string[]} */
  const faults = [];
  /** @type {File[]} */
  const documents = [];
  for (const [index, file] of files.entries()) {
    if (file.size === 0) faults.push(`${pathOf(file)} is empty.`);
    else if (documents.length < MOST_PROBED && isDocument(file.name)) documents.push(file);
    if (index % SIZES_AT_ONCE === SIZES_AT_ONCE - 1) await turn();
  }
  return { faults, documents };
}

/** @param {File} file */
async function faultIn(file) {
  const { fault } = await probe(file);
  return fault && `${pathOf(file)}: ${fault}`;
}

/** The most frequent suffixes, as "4,990 txt, 8 pdf". @param {readonly File[]} files */
function suffixes(files) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { name } of files) {
    const suffix = suffixOf(name) || "without suffix";
    counts.set(suffix, (counts.get(suffix) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  const parts = sorted.slice(0, MOST_SUFFIXES).map(([suffix, many]) => `${count(many)} ${suffix}`);
  return [...parts, ...(sorted.length > MOST_SUFFIXES ? ["others"] : [])].join(", ");
}

/**
 * `added` under a name that none of `others` has: a file of a taken name moves to a folder with a number, and a folder
 * gets a number behind its name. Bytes are not copied.
 *
 * @param {Attachment} added
 * @param {readonly Attachment[]} others
 * @returns {Attachment}
 */
export function apart(added, others) {
  const taken = new Set(others.map(({ name }) => name));
  if (!taken.has(added.name)) return added;
  const top = added.name.slice(0, -1);
  const isFolder = added.name.endsWith("/");
  const numbered = (/** @type {number} */ number) => (isFolder ? `${top} (${number})/` : `${number}/${added.name}`);
  let number = 2;
  while (taken.has(numbered(number))) number += 1;
  const name = numbered(number);
  const renamed = (/** @type {File} */ file) => (isFolder ? name + pathOf(file).slice(added.name.length) : name);
  return { ...added, name, files: added.files.map((file) => new File([file], renamed(file), file)) };
}

/** Those of before a reload first, in their order then. @param {readonly Attachment[]} attachments */
export function inOrder(attachments) {
  return [...attachments].sort(({ at: one = Infinity }, { at: other = Infinity }) => (one === other ? 0 : one - other));
}

/** The file's name in the REPL, its folder included; "" of none. @param {File | undefined} file */
export function pathOf(file) {
  return file?.webkitRelativePath || (file?.name ?? "");
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

/** @param {string} name @param {readonly File[]} files @param {string} kind @param {readonly string[]} faults @returns {Attachment} */
function attachment(name, files, kind, faults) {
  lastId += 1;
  return { id: lastId, name, files, kind, faults };
}
