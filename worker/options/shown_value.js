// @ts-check
// Shown value: an argument in the error that refuses it.
//
// In: any value. Out: its beginning; text stands in quotes.

const SHOWN_CHARS = 60;

/** @param {unknown} value */
export function shown(value) {
  return typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN_CHARS)) : String(value).slice(0, SHOWN_CHARS);
}
