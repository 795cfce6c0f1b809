// @ts-check
/** Storage: the browser's own for this origin or this tab. In: which one. Out: it, or null where the browser forbids it. */

/** @param {"localStorage" | "sessionStorage"} name */
export function storageOf(name) {
  try {
    return window[name];
  } catch (error) {
    if (error instanceof DOMException) return null; // storage is forbidden here
    throw error;
  }
}
