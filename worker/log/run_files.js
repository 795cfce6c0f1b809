// @ts-check
// Run files: whether files are those of a recorded run, by the names and sizes that its log has.
//
// In: the contexts of a run's first event, and files. Out: those that fit, and a sentence on each that does not. A log that
// names no file (of another package, or over a text) takes any.

/** @typedef {{[name: string]: unknown}} Described fingerprint of a context: name, type and size */
/** @typedef {{taken: File[], wrong: string[], missing: string[]}} Matched `missing` are names that no file has */

/** Name of a context that is no file. */
const NO_FILE = "context";
const MAX_COUNTED_BYTES = 256 << 20;

/**
 * @param {readonly Described[]} contexts
 * @param {readonly File[]} files
 * @returns {Promise<Matched>}
 */
export async function matchedFiles(contexts, files) {
  const named = contexts.filter(({ name, type }) => name !== NO_FILE && (type === "str" || type === "file"));
  if (named.length === 0) return { taken: [...files], wrong: [], missing: [] };
  /** @type {Map<string, File>} */
  const taken = new Map();
  const wrong = [];
  for (const file of files) {
    const described = contextOf(file, named);
    const why = described === null ? notOfRun(file, named) : await otherSize(file, described);
    if (why !== null) wrong.push(why);
    else taken.set(String(described?.name), renamed(file, String(described?.name)));
  }
  const missing = named.map(({ name }) => String(name)).filter((name) => !taken.has(name));
  return { taken: [...taken.values()], wrong, missing };
}

/**
 * The context of a file, by its path or by its bare name where only one has it.
 * @param {File} file
 * @param {readonly Described[]} contexts
 */
function contextOf(file, contexts) {
  const path = file.webkitRelativePath || file.name;
  const bare = (/** @type {unknown} */ name) => String(name).split("/").at(-1);
  const same = contexts.filter(({ name }) => name === path);
  const alike = same.length > 0 ? same : contexts.filter(({ name }) => bare(name) === bare(path));
  return alike.length === 1 ? alike[0] : null;
}

/**
 * @param {File} file
 * @param {readonly Described[]} contexts
 */
function notOfRun(file, contexts) {
  const names = contexts.slice(0, 5).map(shown).join(", ");
  const more = contexts.length > 5 ? `, and ${contexts.length - 5} more` : "";
  return `“${file.name}” (${bytes(file.size)}) is none of the run's files: ${names}${more}.`;
}

/**
 * @param {File} file
 * @param {Described} described
 * @returns {Promise<string | null>}
 */
async function otherSize(file, described) {
  const { type, size } = described;
  if (typeof size !== "number") return null;
  const isText = type === "str";
  if (isText && file.size > MAX_COUNTED_BYTES) return null;
  const text = isText ? await file.text() : "";
  if (text.includes("\ufffd")) return null; // another coding: its characters are not counted here
  const own = isText ? characters(text) : file.size;
  if (own === size) return null;
  const unit = isText ? "characters" : "bytes";
  return `“${file.name}” has ${own.toLocaleString("en")} ${unit}, the run's had ${size.toLocaleString("en")}: it was changed since.`;
}

/** Characters as Python counts them, without a byte order mark. @param {string} text */
function characters(text) {
  let pairs = 0;
  for (let at = 0; at < text.length; at += 1) if ((text.charCodeAt(at) & 0xfc00) === 0xd800) pairs += 1;
  return text.length - pairs;
}

/** @param {Described} described */
function shown({ name, type, size }) {
  return typeof size === "number"
    ? `${name} (${size.toLocaleString("en")} ${type === "str" ? "characters" : "bytes"})`
    : `${name}`;
}

/** @param {number} size */
function bytes(size) {
  return `${size.toLocaleString("en")} byte${size === 1 ? "" : "s"}`;
}

/**
 * @param {File} file
 * @param {string} name
 */
function renamed(file, name) {
  const { type, lastModified } = file;
  return file.name === name && !file.webkitRelativePath ? file : new File([file], name, { type, lastModified });
}
