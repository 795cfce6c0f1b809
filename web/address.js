// @ts-check
/**
 * Address: where the page's own server is, also below a prefix. In: the address of this module. Out: that of each path.
 */

const ROOT = new URL("../", import.meta.url);

/** Whether the page is static files without a server of its own: `pyodide-rlm embed --page` says so in its index.html. */
export const IS_STATIC = document.querySelector('meta[name="pyodide-rlm"]')?.getAttribute("content") === "static";
/** The endpoint of model calls. */
export const ENDPOINT = addressOf("api/rlm");
/** The folder that workers are booted from: a bundled page is no neighbour of it. */
export const ASSETS = addressOf("rlm/assets/");

/** @param {string} path without a slash at its beginning */
export function addressOf(path) {
  return new URL(path, ROOT).href;
}
