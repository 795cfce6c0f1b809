// @ts-check
// Long text: a text as UTF-8, and a value as JSON in UTF-8, in steps that leave the page responsive.
//
// In: a text, or a JSON value. Out: a generator that yields between its steps, and returns the bytes. A step takes at most
// STEP_CHARS characters, and never parts a surrogate pair.

import { release } from "../wire/buffers.js";

const STEP_CHARS = 1 << 18;
const encoder = new TextEncoder();

/**
 * @param {string} text
 * @returns {Generator<void, Uint8Array<ArrayBuffer>, void>}
 */
export function* encodedText(text) {
  if (text.length <= STEP_CHARS) return encoder.encode(text);
  const parts = [];
  for (const step of stepsOf(text)) {
    parts.push(encoder.encode(step));
    yield;
  }
  return joined(parts);
}

/**
 * The same bytes as those of `JSON.stringify(value)`.
 * @param {unknown} value that JSON can hold
 * @returns {Generator<void, Uint8Array<ArrayBuffer>, void>}
 */
export function* encodedJson(value) {
  if (roomAfter(value, STEP_CHARS) > 0) return encoder.encode(JSON.stringify(value));
  const parts = [];
  let text = "";
  for (const piece of jsonPieces(value)) {
    text += piece;
    if (text.length <= STEP_CHARS) continue;
    parts.push(encoder.encode(text));
    text = "";
    yield;
  }
  parts.push(encoder.encode(text));
  return joined(parts);
}

/**
 * The part of `room`, in characters, that the texts of a value leave; it is looked at no further than that.
 * @param {unknown} value
 * @param {number} room
 * @returns {number}
 */
function roomAfter(value, room) {
  if (typeof value === "string") return room - value.length;
  let left = room - 1;
  if (typeof value !== "object" || value === null) return left;
  for (const item of Object.values(value)) {
    left = roomAfter(item, left);
    if (left <= 0) break;
  }
  return left;
}

/**
 * @param {unknown} value
 * @returns {Generator<string, void, void>}
 */
function* jsonPieces(value) {
  if (typeof value === "string" && value.length > STEP_CHARS) {
    yield '"';
    for (const step of stepsOf(value)) yield JSON.stringify(step).slice(1, -1);
    yield '"';
  } else if (Array.isArray(value)) {
    yield "[";
    for (const [index, item] of value.entries()) {
      if (index > 0) yield ",";
      yield* jsonPieces(item ?? null);
    }
    yield "]";
  } else if (typeof value === "object" && value !== null) {
    let before = "{";
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      yield `${before}${JSON.stringify(key)}:`;
      yield* jsonPieces(item);
      before = ",";
    }
    yield before === "{" ? "{}" : "}";
  } else yield JSON.stringify(value);
}

/** @param {string} text */
function* stepsOf(text) {
  for (let from = 0; from < text.length; ) {
    const end = from + STEP_CHARS;
    const to = isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
    yield text.slice(from, to);
    from = to;
  }
}

/** @param {number} unit */
function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}

/** @param {Uint8Array<ArrayBuffer>[]} parts */
function joined(parts) {
  if (parts.length === 1) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
    release(part.buffer);
  }
  return bytes;
}
