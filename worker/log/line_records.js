// @ts-check
// Line records: the lines of a log as records of the journal's store.
//
// In: lines and the number of the first; or records, in their order. Out: records under the number of their first line; or
// lines. Short lines share a record, since each record costs the browser a message between its processes. A record of
// earlier versions holds one line.

const JOINED_CHARS = 1 << 16;

/**
 * @param {Pick<IDBObjectStore, "put">} store
 * @param {string} run name of its journal
 * @param {string[]} lines
 * @param {number} [first]
 */
export function putLines(store, run, lines, first = 0) {
  for (const { text, at } of recordsOf(lines)) store.put(text, [run, first + at]);
}

/** @param {unknown[]} records */
export function linesIn(records) {
  return records.flatMap((record) => String(record).split("\n"));
}

/**
 * @param {string[]} lines
 * @returns {Array<{text: string, at: number}>} `at` is the index of the first line in it
 */
function recordsOf(lines) {
  /** @type {Array<{text: string, at: number}>} */
  const records = [];
  lines.forEach((line, at) => {
    const last = records.at(-1);
    if (last && last.text.length + line.length < JOINED_CHARS) last.text += `\n${line}`;
    else records.push({ text: line, at });
  });
  return records;
}
