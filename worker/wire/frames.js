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
  const text = failed ? "" : outcome.completion.text;
  const meta = JSON.stringify(
    failed ? outcome.error : { ...outcome.completion, text: undefined, reasoning: undefined },
  );
  const bytes = encoder.encode(meta + text);
  const metaBytes = bytes.length === meta.length + text.length ? meta.length : encoder.encode(meta).length;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + bytes.length);
  const header = headerOf(frame);
  header.setUint32(0, index, true);
  header.setUint32(4, failed ? FRAME_ERROR : FRAME_OK, true);
  header.setUint32(8, metaBytes, true);
  header.setUint32(12, bytes.length - metaBytes, true);
  frame.set(bytes, FRAME_HEADER_BYTES);
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
