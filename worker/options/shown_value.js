// @ts-check
// Shown value: the beginning of an argument, for the error that refuses it.

const SHOWN_CHARS = 60;

/** @param {unknown} value */
export function shown(value) {
  return typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN_CHARS)) : String(value).slice(0, SHOWN_CHARS);
}
