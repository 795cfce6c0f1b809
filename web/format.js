// @ts-check
/**
 * Numbers as people read them. In: a number and its unit. Out: text of a few characters, the same in every locale.
 */

const COUNT = new Intl.NumberFormat("en");
const SIZES = /** @type {const} */ ([
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
]);

/** @param {number} value */
export function count(value) {
  return COUNT.format(value);
}

/**
 * @param {number} value
 * @param {string} noun in the singular; its plural is made with "s"
 */
export function plural(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** @param {number} value seconds */
export function duration(value) {
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 59.5) return `${Math.round(value)} s`;
  return `${Math.floor(Math.round(value) / 60)} min ${Math.round(value) % 60} s`;
}

/** @param {number} value bytes, of 1,000 to the kilobyte */
export function bytes(value) {
  for (const [unit, size] of SIZES) {
    if (value >= size) return `${(value / size).toFixed(value < 10 * size ? 1 : 0)} ${unit}`;
  }
  return plural(value, "byte");
}

/** `text` as a sentence: a capital at its beginning, one mark at its end. @param {string} text */
export function sentence(text) {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const begun = /^[a-z]+(?=[\s,.:;])/.test(trimmed) ? trimmed[0]?.toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?…:][)”"’']?$/.test(begun) ? begun.replace(/([^.])\.\.$/, "$1.") : `${begun}.`;
}
