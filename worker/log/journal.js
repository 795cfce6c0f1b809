// @ts-check
// Journal: the log of a run, kept in this browser as it grows, so that a reloaded tab can go on with it.
//
// In: the lines of a trajectory. Out: a promise that all of them are on disk; later, the runs that did not end. One
// strict transaction an event: 1.3 ms, and nothing is lost when the browser is killed. A context is kept only when the
// caller asks for it, in a file of the origin's own (OPFS).

import { configError } from "../wire/errors.js";

/**
 * @typedef {object} Journal
 * @property {string} name
 * @property {(line: string) => void} append
 * @property {(contexts: JobContext[]) => Promise<void>} keep also the context; when it cannot be kept, that is said
 * @property {() => Promise<void>} written resolves when every line so far is kept; while the store is full it waits
 * @property {() => Promise<void>} close the run has its end: what is kept of it goes
 * @property {() => Promise<void>} leave the run did not go on: what is kept of it stays
 */

/**
 * A run that was begun. `contexts` are those that are kept with it.
 * @typedef {{name: string, question: string, began: number, options: Record<string, unknown>, contexts: KeptContext[]}} KeptRun
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {Pick<JobContext, "name" | "type">} KeptContext
 */

const DATABASE = "pyodide-rlm";
const FULL_RETRY_MS = 1_000;
const FOLDER = "pyodide-rlm-contexts";

/**
 * @param {KeptRun} run
 * @param {object} options
 * @param {string[]} [options.lines] of the run that goes on: the journal is whole by itself
 * @param {(text: string) => void} options.onNotice
 * @param {AbortSignal} [options.signal] the run is stopped: no more waiting for room
 * @returns {Promise<Journal>}
 */
export async function openJournal(run, { lines = [], onNotice, signal }) {
  const release = await holdRun(run.name);
  const database = await open();
  await stored(database, "runs", (runs) => runs.put(run));
  await stored(database, "lines", (kept) => {
    kept.delete(linesOf(run.name));
    lines.forEach((line, number) => kept.put(line, [run.name, number]));
  });
  let next = lines.length;
  let last = Promise.resolve();

  const put = async (/** @type {string} */ line, /** @type {number} */ number) => {
    for (let told = false; ; told = true) {
      try {
        return await stored(database, "lines", (kept) => kept.put(line, [run.name, number]));
      } catch (error) {
        if (!isFull(error) || signal?.aborted) throw error;
        if (!told) onNotice(FULL);
        await pause(FULL_RETRY_MS);
      }
    }
  };
  const ended = new AbortController();
  let keeping = Promise.resolve();
  const keep = async (/** @type {JobContext[]} */ contexts) => {
    try {
      await keepContext(run.name, contexts, ended.signal);
      const kept = contexts.map(({ name, type }) => ({ name, type }));
      await stored(database, "runs", (runs) => runs.put({ ...run, contexts: kept }));
    } catch (error) {
      if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
      if (!ended.signal.aborted) onNotice(`${NOT_KEPT} (${error.message || error.name})`);
    }
  };
  const leave = async () => {
    ended.abort();
    await keeping;
    await last.catch(() => {}); // a run that was stopped while the store was full
    database.close();
    release();
  };
  return {
    name: run.name,
    append(line) {
      const number = next++;
      last = last.then(() => put(line, number));
      last.catch(() => {}); // told by `written`
    },
    written: () => last,
    keep: (contexts) => (keeping = keep(contexts)),
    leave,
    async close() {
      ended.abort();
      await keeping;
      await last.catch(() => {}); // told by `written`
      await forget(run.name);
      await leave();
    },
  };
}

const FULL = "the browser's storage is full: the run waits before it asks a model again. Free some space, or stop it.";

const NOT_KEPT = "the context is not kept in this browser: a run that is cut off will ask for it again";

function isFull(/** @type {unknown} */ error) {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

/** The runs that were begun and did not end, the newest first, without those that another tab drives. */
export async function unfinished() {
  const database = await open();
  const runs = /** @type {KeptRun[]} */ (await read(database, "runs", (kept) => kept.getAll()));
  database.close();
  const { held = [] } = await navigator.locks.query();
  const driven = new Set(held.map(({ name }) => name));
  return runs.filter(({ name }) => !driven.has(lockOf(name))).sort((one, other) => other.began - one.began);
}

/** The log of a run as it was left. */
export async function readLog(/** @type {string} */ name) {
  const database = await open();
  const lines = await read(database, "lines", (kept) => kept.getAll(linesOf(name)));
  database.close();
  return lines.map((line) => `${line}\n`).join("");
}

/** Drop all that is kept of a run. */
export async function forget(/** @type {string} */ name) {
  const database = await open();
  await stored(database, "runs", (runs) => runs.delete(name));
  await stored(database, "lines", (lines) => lines.delete(linesOf(name)));
  database.close();
  await dropContext(name);
}

function linesOf(/** @type {string} */ name) {
  return IDBKeyRange.bound([name, 0], [name, Infinity]);
}

// ----------------------------------------------------------------------------------------------- one tab drives a run

function lockOf(/** @type {string} */ name) {
  return `pyodide-rlm:${name}`;
}

/** @returns {Promise<() => void>} lets go of the run */
function holdRun(/** @type {string} */ name) {
  return new Promise((resolve, reject) => {
    const hold = (/** @type {Lock | null} */ lock) => {
      if (lock === null)
        return reject(configError(`the run "${name}" is under way in another tab. Go on with it there.`));
      return new Promise((/** @type {(_: void) => void} */ release) => resolve(release));
    };
    navigator.locks.request(lockOf(name), { ifAvailable: true }, hold).catch(reject);
  });
}

// ---------------------------------------------------------------------------------------------------------- IndexedDB

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("runs", { keyPath: "name" });
      request.result.createObjectStore("lines");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Change a store; resolves when the change is on disk.
 * @param {IDBDatabase} database
 * @param {"runs" | "lines"} name
 * @param {(store: IDBObjectStore) => void} change
 * @returns {Promise<void>}
 */
function stored(database, name, change) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(name, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    change(transaction.objectStore(name));
  });
}

/**
 * @param {IDBDatabase} database
 * @param {"runs" | "lines"} name
 * @param {(store: IDBObjectStore) => IDBRequest<unknown[]>} ask
 * @returns {Promise<unknown[]>}
 */
function read(database, name, ask) {
  return new Promise((resolve, reject) => {
    const request = ask(database.transaction(name, "readonly").objectStore(name));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function pause(/** @type {number} */ milliseconds) {
  return new Promise((/** @type {(_: void) => void} */ done) => {
    setTimeout(done, milliseconds);
  });
}

// ----------------------------------------------------------------------------------------------------------- contexts

async function folder() {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
}

/**
 * @param {string} name
 * @param {JobContext[]} contexts
 * @param {AbortSignal} signal
 */
async function keepContext(name, contexts, signal) {
  const own = await (await folder()).getDirectoryHandle(encodeURIComponent(name), { create: true });
  for (const [index, { data }] of contexts.entries()) {
    const file = await (await own.getFileHandle(String(index), { create: true })).createWritable();
    await new Blob([data]).stream().pipeTo(file, { signal });
  }
}

/** @returns {Promise<JobContext[]>} the context kept with the run of that name; none when it was not kept */
export async function keptContext(/** @type {boolean | string | null} */ name) {
  if (typeof name !== "string") return [];
  const database = await open();
  const runs = /** @type {KeptRun[]} */ (await read(database, "runs", (kept) => kept.getAll(name)));
  database.close();
  const contexts = runs[0]?.contexts ?? [];
  if (contexts.length === 0) return [];
  const own = await (await folder()).getDirectoryHandle(encodeURIComponent(name));
  const restored = contexts.map(async ({ name: path, type }, index) => {
    const file = await (await own.getFileHandle(String(index))).getFile();
    return { name: path, type, data: type === "file" ? new File([file], path) : await file.arrayBuffer() };
  });
  return Promise.all(restored);
}

async function dropContext(/** @type {string} */ name) {
  try {
    await (await folder()).removeEntry(encodeURIComponent(name), { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(/** @type {unknown} */ error) {
  return error instanceof DOMException && error.name === "NotFoundError";
}
