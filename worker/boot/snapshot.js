// @ts-check
// Snapshot: the memory of a booted interpreter, made by the user's own browser and kept in its cache.
//
// In: the key of a build. Out: its snapshot, or null when there is none that is whole. It holds our code and Python's,
// and nothing of a run. A page without a cache (insecure, or storage refused) makes its own, and keeps it while it lives.

const CACHE = "pyodide-rlm-snapshot";
const DIGEST = "X-Digest";

/** @param {string} key */
function urlOf(key) {
  return `https://snapshot.invalid/${key}`;
}

/**
 * @param {string} key
 * @returns {Promise<ArrayBuffer | null>}
 */
export async function readSnapshot(key) {
  const response = await (await openCache())?.match(urlOf(key));
  if (!response) return null;
  const data = await response.arrayBuffer();
  if (response.headers.get(DIGEST) === (await digestOf(data))) return data;
  await dropSnapshots();
  throw new Error("the kept one was damaged");
}

/**
 * Keep `data` for the next page, in place of older ones.
 * @param {string} key
 * @param {ArrayBuffer} data
 */
export async function keepSnapshot(key, data) {
  const headers = { [DIGEST]: await digestOf(data) };
  await dropSnapshots();
  await (await openCache())?.put(urlOf(key), new Response(data, { headers }));
}

export async function dropSnapshots() {
  if (typeof caches === "object") await caches.delete(CACHE);
}

async function openCache() {
  return typeof caches === "object" ? caches.open(CACHE) : null;
}

/** @param {ArrayBuffer} data */
async function digestOf(data) {
  if (typeof crypto.subtle !== "object") return "";
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
