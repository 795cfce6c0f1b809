// @ts-check
// Run store: the database of kept runs and their lines, and the lock by which one tab drives a run.
//
// In: a name, a change or a question. Out: a promise that the change is on disk, the answer, or the lock. What a run and its
// lines are is the business of journal.js.

import { configError } from "../wire/errors.js";

const DATABASE = "pyodide-rlm";

// ----------------------------------------------------------------------------------------------- one tab drives a run

/** Begins the name of the lock that the tab which drives a run holds. */
export const LOCK = "pyodide-rlm:";

/**
 * @param {string} name
 * @returns {Promise<() => void>} lets go of the run
 */
export function holdRun(name) {
  return new Promise((resolve, reject) => {
    /** @param {Lock | null} lock */
    const hold = (lock) => {
      if (lock === null)
        return reject(
          configError(`the run "${name}" is under way in another tab. Stop it there, or wait for its end.`),
        );
      return new Promise((/** @type {(_: void) => void} */ release) => resolve(release));
    };
    navigator.locks.request(LOCK + name, { ifAvailable: true }, hold).catch(reject);
  });
}

// ---------------------------------------------------------------------------------------------------------- IndexedDB

/** The database; to be closed after its use. @returns {Promise<IDBDatabase>} */
export function open() {
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
 * Change stores, all of it or nothing; resolves when the change is on disk.
 * @param {IDBDatabase} database
 * @param {("runs" | "lines")[]} names
 * @param {(...stores: IDBObjectStore[]) => void} change
 * @returns {Promise<void>}
 */
export function stored(database, names, change) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    change(...names.map((name) => transaction.objectStore(name)));
    // else the browser asks the page once more whether it has another change
    if (transaction.error === null) transaction.commit();
  });
}

/**
 * @param {IDBDatabase} database
 * @param {"runs" | "lines"} name
 * @param {(store: IDBObjectStore) => IDBRequest<unknown[]>} ask
 * @returns {Promise<unknown[]>}
 */
export function read(database, name, ask) {
  return new Promise((resolve, reject) => {
    const request = ask(database.transaction(name, "readonly").objectStore(name));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
