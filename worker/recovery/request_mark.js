// @ts-check
// Request marks: a request of the worker as the log tells it apart from the others of its run.
//
// In: a request, as the value that its JSON is, and the bytes beside it. Out: a short text, the same for equal values
// whatever the order of their keys. It is no secret, and no proof against an attacker: each run has its own.

/** @typedef {import("../wire/protocol.js").Json} Json */

/**
 * A request as it came: `value` is its body parsed, `mark` its mark, `textMark` that of earlier versions.
 * @typedef {{value: Json, body: string, data: ArrayBuffer[], mark: () => string, textMark: () => string}} WorkerRequest
 */

/** Prefix of a mark that is made of values; those of earlier versions are made of the JSON's text, and have none. */
const OF_VALUES = "=";

/**
 * @param {string} body
 * @param {ArrayBuffer[]} data
 * @returns {Promise<WorkerRequest>}
 */
export async function readRequest(body, data) {
  const value = /** @type {Json} */ (JSON.parse(body));
  const digests = data.length === 0 ? "" : await digestsOf(data);
  return { value, body, data, mark: once(() => markOf(value, digests)), textMark: once(() => hashOf(body, digests)) };
}

/**
 * Whether a request is the one that has the mark.
 * @param {WorkerRequest} request
 * @param {string} mark
 */
export function hasMark(request, mark) {
  return mark === (mark.startsWith(OF_VALUES) ? request.mark() : request.textMark());
}

/** @param {ArrayBuffer[]} data */
async function digestsOf(data) {
  const digests = await Promise.all(data.map((bytes) => crypto.subtle.digest("SHA-256", bytes)));
  return digests.map((digest) => ` ${new BigUint64Array(digest).join(".")}`).join("");
}

/**
 * @param {() => string} compute
 * @returns {() => string}
 */
function once(compute) {
  /** @type {string | null} */
  let known = null;
  return () => (known ??= compute());
}

/**
 * @param {Json} value
 * @param {string} digests
 */
function markOf(value, digests) {
  const hash = openHash();
  addValue(hash, value);
  hash.add(digests);
  return OF_VALUES + hash.end();
}

function hashOf(/** @type {string[]} */ ...texts) {
  const hash = openHash();
  texts.forEach(hash.add);
  return hash.end();
}

/**
 * Adds a value as text that no other value has: the length of a string stands before it, keys are sorted.
 * @param {ReturnType<typeof openHash>} hash
 * @param {Json} value
 */
function addValue(hash, value) {
  if (typeof value === "string") {
    hash.add(`"${value.length}:`);
    hash.add(value);
  } else if (Array.isArray(value)) {
    hash.add(`[${value.length}:`);
    for (const item of value) addValue(hash, item);
  } else if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value).sort();
    hash.add(`{${keys.length}:`);
    for (const key of keys) {
      addValue(hash, key);
      addValue(hash, value[key]);
    }
  } else hash.add(`${Object.is(value, -0) ? "-0" : value};`);
}

/** Number of characters added, and 53 bits of them. */
function openHash() {
  let chars = 0;
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  return {
    /** @param {string} text */
    add(text) {
      chars += text.length;
      for (let index = 0; index < text.length; index += 1) {
        const unit = text.charCodeAt(index);
        high = Math.imul(high ^ unit, 2654435761);
        low = Math.imul(low ^ unit, 1597334677);
      }
    },
    end() {
      const first = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
      const second = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(first ^ (first >>> 13), 3266489909);
      return `${chars}-${(4294967296 * (2097151 & second) + (first >>> 0)).toString(36)}`;
    },
  };
}
