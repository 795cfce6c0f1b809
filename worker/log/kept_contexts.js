// @ts-check
// Kept contexts: the context of a run, in files of the origin's own (OPFS), for a run that a reloaded tab resumes.
//
// In: the values of a context. Out: a folder of the run's name with a file for each; later, the same values. Which runs
// have one is written in the journal.

/**
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {Pick<JobContext, "name" | "type"> & {lastModified?: number, size?: number}} KeptContext `size` in bytes; earlier
 *   versions did not keep it
 */

const FOLDER = "pyodide-rlm-contexts";

/**
 * @param {JobContext} jobContext
 * @returns {KeptContext}
 */
export function described({ name, type, data }) {
  const size = data instanceof Blob ? data.size : data.byteLength;
  return data instanceof File ? { name, type, size, lastModified: data.lastModified } : { name, type, size };
}

async function folder() {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
}

/**
 * @param {string} name of the run
 * @param {JobContext[]} contexts
 * @param {AbortSignal} signal
 */
export async function keepContext(name, contexts, signal) {
  const own = await (await folder()).getDirectoryHandle(encodeURIComponent(name), { create: true });
  for (const [index, { data }] of contexts.entries()) {
    const file = await (await own.getFileHandle(String(index), { create: true })).createWritable();
    await new Blob([data]).stream().pipeTo(file, { signal });
  }
}

/**
 * @param {string} name of the run
 * @param {KeptContext[]} contexts
 * @returns {Promise<JobContext[]>}
 */
export async function restoredContext(name, contexts) {
  if (contexts.length === 0) return [];
  const own = await (await folder()).getDirectoryHandle(encodeURIComponent(name));
  const restored = contexts.map(async ({ name: path, type, lastModified }, index) => {
    const times = lastModified === undefined ? {} : { lastModified };
    const file = await (await own.getFileHandle(String(index))).getFile();
    return { name: path, type, data: type === "file" ? new File([file], path, times) : await file.arrayBuffer() };
  });
  return Promise.all(restored);
}

/** @param {string} name of the run */
export async function dropContext(name) {
  try {
    await (await folder()).removeEntry(encodeURIComponent(name), { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** @param {unknown} error */
function isMissing(error) {
  return error instanceof DOMException && error.name === "NotFoundError";
}
