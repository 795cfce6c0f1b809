// @ts-check
// Frames: the outcome of one call, as bytes of the reply to its request. See rlm_core/frames.py.
//
// In: an index within the request, and an outcome. Out: `[index, status, meta, characters]` as JSON in a line, then the
// text, in UTF-8. Characters are code points, as Python counts them.

import { FRAME_ERROR, FRAME_OK } from "./protocol.js";

/** @typedef {import("./types.d.ts").Outcome} Outcome */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Code points of two UTF-16 units; a lone surrogate is one unit, and one code point of UTF-8, which replaces it. */
const PAIRS = /[\u{10000}-\u{10ffff}]/gu;

/**
 * @param {number} index
 * @param {Outcome} outcome
 */
export function encodeFrame(index, outcome) {
  if ("error" in outcome) return bytesOf([index, FRAME_ERROR, outcome.error, 0], "");
  const { text, reasoning: _, ...meta } = outcome.completion;
  return bytesOf([index, FRAME_OK, meta, codePoints(text)], text);
}

/**
 * @param {Uint8Array} frame
 * @returns {string | null} the text of an answered call; null for a failed one
 */
export function textIn(frame) {
  const { head, text } = partsOf(frame);
  return head[1] === FRAME_OK ? text : null;
}

/**
 * A copy of the frame, renumbered: its index is looked up in `indexes`.
 * @param {Uint8Array} frame
 * @param {number[]} indexes
 */
export function renumbered(frame, indexes) {
  const { head, text } = partsOf(frame);
  const [index, ...rest] = head;
  return bytesOf([indexes[index], ...rest], text);
}

/** @typedef {[index: number, status: number, meta: object, characters: number]} Head */

/**
 * @param {Head} head
 * @param {string} text
 */
function bytesOf(head, text) {
  return encoder.encode(`${JSON.stringify(head)}\n${text}`);
}

/**
 * @param {Uint8Array} frame
 * @returns {{head: Head, text: string}}
 */
function partsOf(frame) {
  const whole = decoder.decode(frame);
  const end = whole.indexOf("\n");
  return { head: JSON.parse(whole.slice(0, end)), text: whole.slice(end + 1) };
}

/** @param {string} text */
function codePoints(text) {
  return text.length - (text.match(PAIRS)?.length ?? 0);
}
