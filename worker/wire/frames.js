// @ts-check
// Frames: the outcome of one call, as bytes of the reply to its request. See FRAME_HEADER_BYTES of rlm_core/protocol.py.
//
// In: an index within the request, and an outcome. Out: a header of four little-endian words (index, status, bytes of
// the meta, bytes of the text), the meta as JSON, the text as UTF-8.

import { FRAME_ERROR, FRAME_HEADER_BYTES, FRAME_OK } from "./protocol.js";

/** @typedef {import("./types.d.ts").Outcome} Outcome */

const encoder = new TextEncoder();

/**
 * @param {number} index
 * @param {Outcome} outcome
 */
export function encodeFrame(index, outcome) {
  const failed = "error" in outcome;
  const { text, reasoning: _, ...answered } = failed ? { text: "", reasoning: "" } : outcome.completion;
  const meta = encoder.encode(JSON.stringify(failed ? outcome.error : answered));
  const body = encoder.encode(text);
  const frame = new Uint8Array(FRAME_HEADER_BYTES + meta.length + body.length);
  const header = headerOf(frame);
  [index, failed ? FRAME_ERROR : FRAME_OK, meta.length, body.length].forEach((word, at) =>
    header.setUint32(4 * at, word, true),
  );
  frame.set(meta, FRAME_HEADER_BYTES);
  frame.set(body, FRAME_HEADER_BYTES + meta.length);
  return frame;
}

/**
 * @param {Uint8Array} frame
 * @returns {string | null} the text of an answered call; null for a failed one
 */
export function textIn(frame) {
  const header = headerOf(frame);
  const [status, metaBytes, textBytes] = [4, 8, 12].map((at) => header.getUint32(at, true));
  if (status !== FRAME_OK) return null;
  const start = FRAME_HEADER_BYTES + metaBytes;
  return new TextDecoder().decode(frame.subarray(start, start + textBytes));
}

/**
 * A copy of the frame, renumbered: its index is looked up in `indexes`.
 * @param {Uint8Array} frame
 * @param {number[]} indexes
 */
export function renumbered(frame, indexes) {
  const copy = frame.slice();
  const header = headerOf(copy);
  header.setUint32(0, indexes[header.getUint32(0, true)], true);
  return copy;
}

/** @param {Uint8Array} frame */
function headerOf({ buffer, byteOffset }) {
  return new DataView(buffer, byteOffset, FRAME_HEADER_BYTES);
}
