// @ts-check
/**
 * Folders: the files in one that was dropped or chosen, at any depth. In: the browser's entry, or the files that it
 * gave. Out: its files, each named by its path from the folder on; or the problem, when there are none or too many.
 * Nothing is read. Of thousands of files each step leaves the page's other tasks their turn. Names that begin with a dot are left out, and
 * counted; the browser hands out no links.
 */

import { count, plural } from "./format.js";

/** @typedef {import("./types/run.js").Problem} Problem */
/**
 * @typedef {object} Folder
 * @property {string} name
 * @property {File[]} files
 * @property {number} hidden how many files and folders were left out
 */

export const MOST_FILES = 10_000;
const PORTION = 1_000;

const EMPTY = {
  cause: "No file is in it or in the folders below it; names that begin with a dot do not count.",
  action: "Choose another folder, or its files.",
};

/**
 * @param {FileSystemDirectoryEntry} entry
 * @param {(files: number) => void} onProgress
 * @returns {Promise<Folder | Problem>} rejects with a DOMException when something in it cannot be read
 */
export async function readFolder(entry, onProgress) {
  /** @type {Folder} */
  const folder = { name: entry.name, files: [], hidden: 0 };
  const waiting = [entry];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for await (const entries of portionsOf(next)) {
      const seen = entries.filter(({ name }) => !isHidden(name));
      folder.hidden += entries.length - seen.length;
      folder.files.push(...(await Promise.all(seen.filter((one) => one.isFile).map(fileOf))));
      waiting.push(.../** @type {FileSystemDirectoryEntry[]} */ (seen.filter((one) => one.isDirectory)));
      onProgress(folder.files.length);
      if (folder.files.length > MOST_FILES) return checked(folder);
    }
  }
  return checked(folder);
}

/**
 * @param {readonly File[]} files as an input with `webkitdirectory` gives them, at least one
 * @param {(files: number) => void} onProgress
 * @returns {Promise<Folder | Problem>}
 */
export async function chosenFolder(files, onProgress) {
  const hidden = new Set();
  const seen = [];
  for (let at = 0; at < files.length; at += PORTION) {
    await turn(); // also before the first: the browser has just made all these files in one task
    for (const file of files.slice(at, at + PORTION)) {
      const part = hiddenPart(file);
      if (part === null) seen.push(file);
      else hidden.add(part);
    }
    onProgress(seen.length);
  }
  return checked({ name: pathOf(files[0])[0] ?? "", files: seen, hidden: hidden.size });
}

/**
 * The folder with its files in the order of their paths, as the command and Python have them.
 *
 * @param {Folder} folder
 * @returns {Promise<Folder | Problem>}
 */
async function checked(folder) {
  if (folder.files.length === 0) return { title: `“${folder.name}” is an empty folder.`, ...EMPTY };
  if (folder.files.length > MOST_FILES)
    return {
      title: `“${folder.name}” holds more than ${plural(MOST_FILES, "file")}.`,
      cause: `Nothing of it was added: ${count(MOST_FILES)} are the most that a folder may hold here.`,
      action: "Choose a folder further down, or pack it as a zip archive and add that.",
    };
  const sorted = [];
  for (let at = 0; at < folder.files.length; at += PORTION) {
    await turn();
    sorted.push(...folder.files.slice(at, at + PORTION).map((file) => ({ file, path: file.webkitRelativePath })));
  }
  sorted.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { ...folder, files: sorted.map(({ file }) => file) };
}

/** The page's other tasks run first. */
export function turn() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Entries of a folder in the browser's portions; an empty one is the last.
 *
 * @param {FileSystemDirectoryEntry} folder
 */
async function* portionsOf(folder) {
  const reader = folder.createReader();
  for (;;) {
    const some = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    yield some;
  }
}

/**
 * The file, with its path where a file of a chosen folder has it: a new `File` for each of thousands would take seconds.
 *
 * @param {FileSystemEntry} entry
 */
async function fileOf(entry) {
  const file = await new Promise((/** @type {(file: File) => void} */ resolve, reject) =>
    /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject),
  );
  return Object.defineProperty(file, "webkitRelativePath", { value: entry.fullPath.slice(1) });
}

function pathOf(/** @type {File | undefined} */ file) {
  return file ? file.webkitRelativePath.split("/") : [];
}

/** Path of the outermost hidden folder or file that holds it: a hidden folder counts once. */
function hiddenPart(/** @type {File} */ file) {
  const parts = pathOf(file);
  const at = parts.findIndex((part, index) => index > 0 && isHidden(part));
  return at < 0 ? null : parts.slice(0, at + 1).join("/");
}

function isHidden(/** @type {string} */ name) {
  return name.startsWith(".");
}
