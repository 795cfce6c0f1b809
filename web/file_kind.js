// @ts-check
/**
 * Kind of a file by its bytes, before any run. In: a file, of which the beginning and the end are read. Out: its kind in
 * words, and its fault, if it is empty, cut off, or another kind than its name says. Nothing is decoded but text.
 */

/** @typedef {{label: string, fault: string}} FileKind `fault` is "" for none */
/** @typedef {{head: Uint8Array, tail: Uint8Array, isWhole: boolean}} Ends `isWhole` where the head is all of the file */

const HEAD_BYTES = 64 * 1024;
/** An archive's directory may have a comment of 65,535 bytes behind it. */
const TAIL_BYTES = 66 * 1024;
const MOST_CONTROLS = 0.02;
/** Control characters stand between the fields of some logs. */
const MOST_CONTROLS_OF_UTF8 = 0.3;

/** First bytes -> kind; `end` must stand near the end of a whole file. @type {readonly {kind: string, at?: number, begin: string, end?: string}[]} */
const SIGNATURES = [
  { kind: "PDF", begin: "%PDF-", end: "%%EOF" },
  { kind: "ZIP archive", begin: "PK\x03\x04", end: "PK\x05\x06" },
  { kind: "ZIP archive", begin: "PK\x05\x06" },
  { kind: "SQLite database", begin: "SQLite format 3\0" },
  { kind: "Parquet", begin: "PAR1", end: "PAR1" },
  { kind: "older Office file", begin: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" },
  { kind: "gzip archive", begin: "\x1f\x8b" },
  { kind: "bzip2 archive", begin: "BZh" },
  { kind: "xz archive", begin: "\xfd7zXZ\0" },
  { kind: "Zstandard archive", begin: "\x28\xb5\x2f\xfd" },
  { kind: "7z archive", begin: "7z\xbc\xaf\x27\x1c" },
  { kind: "RAR archive", begin: "Rar!\x1a\x07" },
  { kind: "tar archive", begin: "ustar", at: 257 },
  { kind: "PNG image", begin: "\x89PNG\r\n\x1a\n", end: "IEND" },
  { kind: "JPEG image", begin: "\xff\xd8\xff" },
  { kind: "GIF image", begin: "GIF8" },
  { kind: "WebP image", begin: "WEBP", at: 8 },
  { kind: "RTF", begin: "{\\rtf" },
];

/** Suffix -> kinds that such a file has, and its name where it is a ZIP archive of parts. @type {Readonly<Record<string, {is: string, name: string}>>} */
const BY_SUFFIX = {
  pdf: { is: "PDF", name: "PDF" },
  docx: { is: "ZIP archive", name: "Word" },
  xlsx: { is: "ZIP archive", name: "Excel" },
  xlsm: { is: "ZIP archive", name: "Excel" },
  xlsb: { is: "ZIP archive", name: "Excel" },
  pptx: { is: "ZIP archive", name: "PowerPoint" },
  odt: { is: "ZIP archive", name: "OpenDocument text" },
  ods: { is: "ZIP archive", name: "OpenDocument sheet" },
  odp: { is: "ZIP archive", name: "OpenDocument slides" },
  epub: { is: "ZIP archive", name: "EPUB" },
  zip: { is: "ZIP archive", name: "ZIP archive" },
  gz: { is: "gzip archive", name: "gzip archive" },
  sqlite: { is: "SQLite database", name: "SQLite database" },
  parquet: { is: "Parquet", name: "Parquet" },
  png: { is: "PNG image", name: "PNG image" },
  jpg: { is: "JPEG image", name: "JPEG image" },
  jpeg: { is: "JPEG image", name: "JPEG image" },
  doc: { is: "older Office file", name: "Word 97-2003" },
  xls: { is: "older Office file", name: "Excel 97-2003" },
  ppt: { is: "older Office file", name: "PowerPoint 97-2003" },
  msg: { is: "older Office file", name: "Outlook message" },
};

/**
 * @param {File} file
 * @returns {Promise<FileKind>} rejects with the browser's NotReadableError or NotFoundError
 */
export async function probe(file) {
  if (file.size === 0) return { label: "empty file", fault: "It is empty." };
  const head = await bytesOf(file.slice(0, HEAD_BYTES));
  const tail = file.size <= HEAD_BYTES ? head : await bytesOf(file.slice(-TAIL_BYTES));
  return kindOf(suffixOf(file.name), { head, tail, isWhole: file.size <= HEAD_BYTES });
}

/** Whether the bytes of a file with this name can show it to be broken. @param {string} name */
export function isDocument(name) {
  return Object.hasOwn(BY_SUFFIX, suffixOf(name));
}

/** @param {string} name in lower case, "" for none */
export function suffixOf(name) {
  return /\.([a-z0-9]{1,8})$/i.exec(name)?.[1]?.toLowerCase() ?? "";
}

/** @param {string} suffix @param {Ends} ends @returns {FileKind} */
function kindOf(suffix, ends) {
  const { head, tail } = ends;
  const found = SIGNATURES.find(({ begin, at = 0 }) => standsAt(head, begin, at));
  const signature = found && /^\w+$/.test(found.begin) && isWords(ends) ? undefined : (found ?? laterPdf(head));
  const named = Object.hasOwn(BY_SUFFIX, suffix) ? BY_SUFFIX[suffix] : undefined;
  if (signature === undefined) return named ? misnamed(suffix, textKind("", ends).label) : textKind(suffix, ends);
  const { kind, end } = signature;
  const isCut = end !== undefined && !holds(tail, end);
  if (named && named.is !== kind) return misnamed(suffix, kind);
  const label = named?.name ?? kind;
  return isCut
    ? { label: `${label}, broken`, fault: "Its end is missing: it is cut off, or was not saved whole." }
    : { label, fault: "" };
}

/** Whether it is UTF-8 without control characters: words on a format may begin as its files do. @param {Ends} ends */
function isWords({ head, isWhole }) {
  return decodes(head, isWhole) && !head.some((byte) => byte < 9 || (byte > 13 && byte < 27));
}

/** Readers take a PDF whose first bytes are foreign; in a line of text the same words are no sign. @param {Uint8Array} head */
function laterPdf(head) {
  const begin = String.fromCharCode(...head.subarray(0, 8192));
  return /^.{0,1024}[\r\n\0\x80-\xff]%PDF-\d.*\d\s+obj\b/s.test(begin) ? SIGNATURES[0] : undefined;
}

/** @param {string} suffix @param {string} label @returns {FileKind} */
function misnamed(suffix, label) {
  return {
    label: `${label}, named .${suffix}`,
    fault: `Its name ends in .${suffix}, but its bytes are no such file: it is read as ${label}.`,
  };
}

/** @param {string} suffix @param {Ends} ends @returns {FileKind} */
function textKind(suffix, ends) {
  const coding = codingOf(ends);
  const kind = coding === null ? "binary" : coding === "UTF-8" ? "text" : `text, ${coding}`;
  return { label: suffix === "" || suffix === "txt" ? kind : `${suffix.toUpperCase()}, ${kind}`, fault: "" };
}

/** Coding of a text as far as its beginning shows; `null` when it is no text. @param {Ends} ends */
function codingOf({ head, isWhole }) {
  const [first, second] = head;
  if (first === 0xff && second === 0xfe) return "UTF-16";
  if (first === 0xfe && second === 0xff) return "UTF-16";
  if (isWide(head)) return "UTF-16";
  const isUtf8 = decodes(head, isWhole);
  const most = isUtf8 && !head.includes(0) ? MOST_CONTROLS_OF_UTF8 : MOST_CONTROLS;
  const controls = head.reduce((sum, byte) => sum + (byte < 9 || (byte > 13 && byte < 27) ? 1 : 0), 0);
  if (controls > head.length * most) return null;
  return isUtf8 ? "UTF-8" : "not UTF-8";
}

/** Whether it is UTF-8; a head may end in the middle of a character. @param {Uint8Array} head @param {boolean} isWhole */
function decodes(head, isWhole) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: !isWhole });
    return true;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return false;
  }
}

/** Latin text of two bytes a character: nearly every second byte is 0. @param {Uint8Array} head */
function isWide(head) {
  const zeros = [0, 0];
  for (const [index, byte] of head.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  return Math.max(even, odd) > head.length * 0.4 && Math.min(even, odd) < head.length * 0.01;
}

/** @param {Uint8Array} data @param {string} text one character a byte @param {number} at */
function standsAt(data, text, at) {
  return [...text].every((character, index) => data[at + index] === character.charCodeAt(0));
}

/** @param {Uint8Array} data @param {string} text one character a byte */
function holds(data, text) {
  const first = text.charCodeAt(0);
  for (let at = data.indexOf(first); at >= 0; at = data.indexOf(first, at + 1))
    if (standsAt(data, text, at)) return true;
  return false;
}

/** @param {Blob} blob */
async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
