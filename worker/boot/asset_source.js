// @ts-check
// Asset source: a folder of assets whose files the page brings itself, where no server hands them out, as in a notebook.
//
// In: the folder's URL, of any scheme, and a function for its files. Out: files by URL, and modules by a URL that can be
// imported. A folder without such a function is fetched.

import { keptPromise } from "./kept_promise.js";

/** @typedef {(path: string) => Promise<Response>} ReadAsset */

/** @type {Map<string, ReadAsset>} by URL of the folder */
const sources = new Map();
/** @type {Map<string, Promise<string>>} by URL */
const modules = new Map();

/**
 * @param {string} base with a slash at its end
 * @param {ReadAsset} read
 */
export function provideAssets(base, read) {
  sources.set(base, read);
}

/**
 * @param {URL | string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export function fetchAsset(url, options) {
  const own = sourceOf(String(url));
  return own === null ? fetch(url, options) : own.read(own.path);
}

/**
 * `url`, or that of the same module in the page's memory, where a source brings it.
 * @param {string} url
 */
export async function moduleUrl(url) {
  const own = sourceOf(url);
  return own === null ? url : keptPromise(modules, url, () => moduleOf(own));
}

/** @param {{read: ReadAsset, path: string}} own */
async function moduleOf({ read, path }) {
  const text = await (await read(path)).text();
  return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}

/** @param {string} url */
function sourceOf(url) {
  for (const [base, read] of sources) if (url.startsWith(base)) return { read, path: url.slice(base.length) };
  return null;
}
