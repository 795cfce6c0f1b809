// @ts-check
// Snapshot: the memory of a booted interpreter, made by the user's own browser and kept in its cache.
//
// In: the key of a build. Out: its snapshot, or null when none is kept; an error for one that this page's origin has not
// made, or not for this build, or that has changed since. It holds our code and Python's, and nothing of a run. A page
// without a cache (insecure, or storage refused) makes its own, and keeps it while it lives.
//
// The cache alone is not trusted: an entry has a seal (HMAC) of its bytes and its build, by a secret key that is kept in
// IndexedDB and that no script can read.

import { release } from "../wire/buffers.js";

const CACHE = "pyodide-rlm-snapshot";
const SEAL = "X-Seal";
const DATABASE = "pyodide-rlm-seal";
const STORE = "keys";
/** @type {HmacKeyGenParams & {name: "HMAC"}} */
const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

/** @param {string} key */
function urlOf(key) {
  return `https://snapshot.invalid/${key}`;
}

/**
 * @param {string} key
 * @returns {Promise<Blob | null>}
 */
export async function readSnapshot(key) {
  const response = await (await openCache())?.match(urlOf(key));
  if (!response) return null;
  const data = await response.arrayBuffer();
  const secret = await storedSecret();
  const seal = bytesIn(response.headers.get(SEAL) ?? "");
  const isOurs = secret && (await crypto.subtle.verify(ALGORITHM.name, secret, seal, await sealedBytes(key, data)));
  const kept = isOurs ? new Blob([data]) : null;
  release(data);
  if (kept) return kept;
  await dropSnapshots();
  throw new Error("the kept one was damaged, or is not of this page's making");
}

/**
 * Keep `data` for the next page, in place of older ones.
 * @param {string} key
 * @param {ArrayBuffer} data
 */
export async function keepSnapshot(key, data) {
  const cache = await openCache();
  if (cache === null) return;
  const secret = (await storedSecret()) ?? (await newSecret());
  const seal = await crypto.subtle.sign(ALGORITHM.name, secret, await sealedBytes(key, data));
  await dropSnapshots();
  await (await openCache())?.put(urlOf(key), new Response(data, { headers: { [SEAL]: digits(seal) } }));
}

export async function dropSnapshots() {
  if (typeof caches === "object") await caches.delete(CACHE);
}

async function openCache() {
  return typeof caches === "object" ? caches.open(CACHE) : null;
}

// --------------------------------------------------------------------------------------------------------------- seal

/**
 * The sealed bytes: the digests of build and memory.
 * @param {string} key
 * @param {ArrayBuffer} data
 */
async function sealedBytes(key, data) {
  const build = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const memory = await crypto.subtle.digest("SHA-256", data);
  return new Uint8Array([...new Uint8Array(build), ...new Uint8Array(memory)]);
}

/** @returns {Promise<CryptoKey | null>} */
async function storedSecret() {
  const database = await openDatabase();
  const secret = await requested(database.transaction(STORE).objectStore(STORE).get(ALGORITHM.name));
  database.close();
  return secret instanceof CryptoKey ? secret : null;
}

/** A new key, which no script can read; of two pages that make one at once the first wins. */
async function newSecret() {
  const made = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  const database = await openDatabase();
  const store = database.transaction(STORE, "readwrite").objectStore(STORE);
  await requested(store.add(made, ALGORITHM.name)).catch(() => null); // it is there already
  database.close();
  return (await storedSecret()) ?? made;
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => void request.result.createObjectStore(STORE);
  return requested(request);
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function requested(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      reject(request.error);
    };
  });
}

/** @param {ArrayBuffer} bytes */
function digits(bytes) {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} text */
function bytesIn(text) {
  return new Uint8Array((text.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
}
