// @ts-check
/**
 * Address: where the page's own server is, also below a prefix. In: the address of this module. Out: that of each path.
 */

const ROOT = new URL("../", import.meta.url);

/** The endpoint of model calls. */
export const ENDPOINT = addressOf("api/rlm");
/** The folder that workers are booted from: a bundled page is no neighbour of it. */
export const ASSETS = addressOf("rlm/assets/");

/** @param {string} path without a slash at its beginning */
export function addressOf(path) {
  return new URL(path, ROOT).href;
}
