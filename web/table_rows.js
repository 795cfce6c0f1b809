// @ts-check
/**
 * Rows of a displayed table. In: its text, a row a line and cells apart by tabs, with escapes as rlm_core/display.py
 * writes them. Out: cells by row, an order by column, and CSV. Nothing is drawn; a million rows are never split at once.
 */

/** @typedef {ReturnType<typeof openRows>} Rows */

const ESCAPED = /\\([\\ntr])/g;
/** @type {Readonly<Record<string, string>>} */
const MEANT = { "\\": "\\", n: "\n", t: "\t", r: "\r" };
const CSV_ROWS = 10_000;
const CHUNK_ROWS = 4_096;
const SLICE_MS = 8;
const STEPS = 1_024;

/** @param {{columns: readonly string[], text: string, rows: number}} table `rows` is what the text is said to hold */
export function openRows({ columns, text, rows }) {
  const starts = rows === 0 ? new Uint32Array([0]) : startsOf(text);
  const size = starts.length - 1;
  const line = (/** @type {number} */ row) => text.slice(starts[row], Number(starts[row + 1]) - 1);
  const cells = (/** @type {number} */ row) => {
    const parts = line(row).split("\t");
    return columns.map((_, at) => plain(parts[at] ?? ""));
  };
  return { columns, size, cells };
}

/** Where each row begins, and the end. @param {string} text */
function startsOf(text) {
  const starts = new Uint32Array(text.length + 2);
  let size = 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts[size++] = at + 1;
  starts[size++] = text.length + 1;
  return starts.slice(0, size);
}

/** @param {string} text of a cell */
function plain(text) {
  return text.includes("\\") ? text.replace(ESCAPED, (_, letter) => MEANT[letter] ?? letter) : text;
}

/**
 * The rows in the order of a column: numbers by their value, else texts; empty cells last. The page stays responsive.
 *
 * @param {Rows} rows
 * @param {number} column
 * @param {boolean} isDescending
 * @param {() => boolean} isWanted asked in between
 * @returns {Promise<Uint32Array | null>} null where it is not wanted any more
 */
export async function orderOf(rows, column, isDescending, isWanted) {
  const pause = openPause();
  const texts = new Array(rows.size);
  const numbers = new Float64Array(rows.size);
  let isNumeric = true;
  for (let row = 0; row < rows.size; row += 1) {
    const text = rows.cells(row)[column] ?? "";
    texts[row] = text;
    numbers[row] = text === "" ? Number.NaN : Number(text);
    if (text !== "" && Number.isNaN(numbers[row])) isNumeric = false;
    if (row % STEPS === 0 && (await pause()) && !isWanted()) return null;
  }
  const sign = isDescending ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  const ofNumbers = (/** @type {number} */ one, /** @type {number} */ other) => {
    const [a, b] = [Number(numbers[one]), Number(numbers[other])];
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || one - other;
    return sign * (a - b) || one - other;
  };
  const ofTexts = (/** @type {number} */ one, /** @type {number} */ other) => {
    if (texts[one] === "" || texts[other] === "")
      return Number(texts[one] === "") - Number(texts[other] === "") || one - other;
    return sign * collator.compare(texts[one], texts[other]) || one - other;
  };
  return merged(rows.size, isNumeric ? ofNumbers : ofTexts, async () => (await pause()) && !isWanted());
}

/**
 * Merge sort in slices.
 *
 * @param {number} size
 * @param {(one: number, other: number) => number} compare
 * @param {() => Promise<boolean>} isOver asked in between
 */
async function merged(size, compare, isOver) {
  let order = Uint32Array.from({ length: size }, (_, row) => row);
  for (let at = 0; at < size; at += CHUNK_ROWS) {
    order.subarray(at, at + CHUNK_ROWS).sort(compare);
    if (await isOver()) return null;
  }
  for (let width = CHUNK_ROWS; width < size; width *= 2) {
    const next = new Uint32Array(size);
    for (let from = 0; from < size; from += 2 * width) {
      const middle = Math.min(from + width, size);
      const end = Math.min(from + 2 * width, size);
      let one = from;
      let other = middle;
      for (let at = from; at < end; at += 1) {
        const isFirst = other >= end || (one < middle && compare(Number(order[one]), Number(order[other])) <= 0);
        next[at] = Number(order[isFirst ? one++ : other++]);
        if (at % STEPS === 0 && (await isOver())) return null;
      }
    }
    order = next;
  }
  return order;
}

/** Lets other tasks run, once a slice is over. @returns {() => Promise<boolean>} whether it paused */
function openPause() {
  let until = performance.now() + SLICE_MS;
  return async () => {
    if (performance.now() < until) return false;
    await new Promise((resolve) => setTimeout(resolve, 0));
    until = performance.now() + SLICE_MS;
    return true;
  };
}

/** All rows as CSV, in parts. @param {Rows} rows @param {Uint32Array | null} order @returns {Generator<string, void, void>} */
export function* csvOf(rows, order) {
  const line = (/** @type {readonly string[]} */ cells) => `${cells.map(quoted).join(",")}\r\n`;
  yield line(rows.columns);
  for (let from = 0; from < rows.size; from += CSV_ROWS) {
    let part = "";
    const end = Math.min(from + CSV_ROWS, rows.size);
    for (let at = from; at < end; at += 1) part += line(rows.cells(order === null ? at : Number(order[at])));
    yield part;
  }
}

const FORMULA = /^[=+@\t\r]|^-(?!(?:\d[\d.,]*|\.\d+)(?:e[+-]?\d+)?$)/i;

/** A cell of CSV; one that a spreadsheet would take for a formula is text, but for a negative number. @param {string} text */
function quoted(text) {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
