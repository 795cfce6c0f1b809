// @ts-check
// Request marks: a request of the worker as the log tells it apart from the others of its run.
//
// In: a request, as the value that its JSON is, and the bytes beside it. Out: a short text, the same for equal values
// whatever the order of their keys. It is no secret, and no proof against an attacker: each run has its own.

import { inSlices, yieldToPage } from "../time/time_slices.js";
import { openHash } from "../wire/text_hash.js";

/** @typedef {import("../wire/protocol.js").Json} Json */

/**
 * A request as it came: `value` is its body parsed, `mark` its mark, `textMark` that of earlier
 * versions; `digests` are the SHA-256 of its data, in hex.
 * @typedef {{value: Json, body: string, data: ArrayBuffer[], mark: () => string, textMark: () => string,
 *   digests: string[]}} WorkerRequest
 */

/** Prefix of a mark that is made of values; those of earlier versions are made of the JSON's text, and have none. */
const OF_VALUES = "=";
const LONG_CHARS = 1 << 20;
const STEP_CHARS = 1 << 16;

/**
 * @param {string} body
 * @param {ArrayBuffer[]} data
 * @param {{value?: unknown, chars?: number}} [known] its value and its length, where the body is a part
 * @returns {Promise<WorkerRequest>}
 */
export async function readRequest(body, data, { value: parsed = JSON.parse(body), chars = body.length } = {}) {
  const value = /** @type {Json} */ (parsed);
  const hashes = await Promise.all(data.map((bytes) => crypto.subtle.digest("SHA-256", bytes)));
  const digests = hashes.map((hash) => ` ${new BigUint64Array(hash).join(".")}`).join("");
  const known = { value, body, data, digests: hashes.map(hexOf) };
  const textMark = once(() => hashOf(body, digests));
  if (chars <= LONG_CHARS) return { ...known, mark: once(() => wholeOf(marking(value, digests))), textMark };
  await yieldToPage();
  return { ...known, mark: always(await inSlices(marking(value, digests))), textMark };
}

/**
 * A function that holds nothing but its value: one made where a long body is in scope holds that, too.
 * @template T
 * @param {T} value
 */
function always(value) {
  return () => value;
}

/**
 * Whether a request is the one that has the mark.
 * @param {WorkerRequest} request
 * @param {string} mark
 */
export function hasMark(request, mark) {
  return mark === (mark.startsWith(OF_VALUES) ? request.mark() : request.textMark());
}

/**
 * A mark as part of an idempotency key.
 * @param {string} mark
 */
export function markInKey(mark) {
  return mark.slice(OF_VALUES.length);
}

/** @param {ArrayBuffer} bytes */
function hexOf(bytes) {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
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
 * The mark of a request, in steps. A value is added as text that no other value has: the length of a string stands before
 * it, keys are sorted. Values that wait are a list: a generator for each of them takes a batch ten times as long.
 * @param {Json} value
 * @param {string} digests
 * @returns {Generator<void, string, void>}
 */
function* marking(value, digests) {
  const hash = openHash();
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === "string") {
      hash.add(`"${next.length}:`);
      for (let from = 0; from < next.length; from += STEP_CHARS) {
        hash.add(next, from, from + STEP_CHARS);
        yield;
      }
    } else if (Array.isArray(next)) {
      hash.add(`[${next.length}:`);
      for (let at = next.length - 1; at >= 0; at -= 1) waiting.push(next[at]);
    } else if (typeof next === "object" && next !== null) {
      const keys = Object.keys(next).sort();
      hash.add(`{${keys.length}:`);
      for (const key of keys.reverse()) waiting.push(next[key], key);
    } else hash.add(`${Object.is(next, -0) ? "-0" : next};`);
  }
  hash.add(digests);
  return OF_VALUES + hash.end();
}

/**
 * @template T
 * @param {Generator<void, T, void>} work
 * @returns {T}
 */
function wholeOf(work) {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

function hashOf(/** @type {string[]} */ ...texts) {
  const hash = openHash();
  for (const text of texts) hash.add(text);
  return hash.end();
}
