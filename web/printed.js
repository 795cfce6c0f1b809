// @ts-check
/**
 * Text that a block prints, kept in bounded memory while it arrives.
 *
 * In: pieces of any number and size. Out: the whole text while it is short, else its head and tail and the number of
 * characters between them. Nothing here draws; see long_text.js.
 */

const KEPT = 256 * 1024;

/**
 * @typedef {object} Excerpt
 * @property {string} head
 * @property {number} cut characters left out between head and tail
 * @property {string} tail empty when nothing was cut
 */

export class Printed {
  #head = "";
  #tail = "";

  /** How many characters were printed, kept or not. */
  chars = 0;

  /** @param {string} text */
  append(text) {
    const room = KEPT - this.#head.length;
    this.chars += text.length;
    this.#head += text.slice(0, room);
    this.#tail += text.slice(room);
    if (this.#tail.length > 2 * KEPT) this.#tail = this.#tail.slice(-KEPT);
  }

  /** All that is kept. @returns {Excerpt} */
  kept() {
    return { head: this.#head, cut: this.chars - this.#head.length - this.#tail.length, tail: this.#tail };
  }
}

/**
 * The beginning and the end of a text.
 *
 * @param {Excerpt} text
 * @param {{lines: number, chars: number}} bound most lines and characters to keep, halved between head and tail
 * @returns {Excerpt}
 */
export function excerpt(text, { lines, chars }) {
  const size = text.head.length + text.tail.length;
  if (text.cut === 0 && size <= chars && isShort(text.head + text.tail, lines)) return text;
  const head = firstLines(text.head, lines / 2, chars / 2);
  const tail = lastLines(text.tail || text.head.slice(head.length), lines / 2, chars / 2);
  return { head, cut: size + text.cut - head.length - tail.length, tail };
}

/** @param {string} text @returns {Excerpt} */
export function whole(text) {
  return { head: text, cut: 0, tail: "" };
}

/** @param {string} text @param {number} lines */
function isShort(text, lines) {
  return text.split("\n", lines + 2).length <= lines + 1;
}

/** @param {string} text @param {number} lines @param {number} chars */
function firstLines(text, lines, chars) {
  const kept = text.slice(0, chars).split("\n").slice(0, lines).join("\n");
  return kept.length < Math.min(chars, text.length) ? `${kept}\n` : kept;
}

/** @param {string} text @param {number} lines @param {number} chars */
function lastLines(text, lines, chars) {
  return text.slice(-chars).replace(/\n$/, "").split("\n").slice(-lines).join("\n") + (text.endsWith("\n") ? "\n" : "");
}
