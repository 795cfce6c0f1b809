// @ts-check
// Image facts: the kind of an image and its size in pixels, by its first bytes, before anything is decoded.
//
// In: bytes, which are untrusted. Out: the MIME type, width and height; null where it is no PNG, JPEG, GIF or WebP, or its
// header is broken. Each header is read in a bounded number of steps.

/** @typedef {{type: string, width: number, height: number}} ImageFacts */

/** Longer side, in pixels, beyond which models scale an image down themselves. */
export const USEFUL_SIDE = 1_568;
const PIXELS_PER_TOKEN = 750;
const MAX_STEPS = 10_000; // segments before a JPEG's frame, or blocks before a GIF's first one
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * @param {Uint8Array} bytes
 * @returns {ImageFacts | null}
 */
export function imageFacts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const known = kindOf(bytes);
  if (known === null) return null;
  try {
    const [width, height] = known.size(view);
    return width > 0 && height > 0 ? { type: known.type, width, height } : null;
  } catch (fault) {
    if (fault instanceof RangeError) return null; // the header ends too early
    throw fault;
  }
}

/** @param {Uint8Array} bytes */
function kindOf(bytes) {
  /** @param {number} from @param {string} text */
  const has = (from, text) => [...text].every((letter, at) => bytes[from + at] === letter.charCodeAt(0));
  if (PNG.every((byte, at) => bytes[at] === byte)) return { type: "image/png", size: sizeOfPng };
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return { type: "image/jpeg", size: sizeOfJpeg };
  if (has(0, "GIF87a") || has(0, "GIF89a")) return { type: "image/gif", size: sizeOfGif };
  if (has(0, "RIFF") && has(8, "WEBP")) return { type: "image/webp", size: sizeOfWebp };
  return null;
}

/**
 * @param {DataView} view
 * @returns {[number, number]}
 */
function sizeOfPng(view) {
  return view.getUint32(12) === 0x49484452 ? [view.getUint32(16), view.getUint32(20)] : [0, 0];
}

/**
 * The first start of a frame.
 * @param {DataView} view
 * @returns {[number, number]}
 */
function sizeOfJpeg(view) {
  let at = 2;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    if (view.getUint8(at) !== 0xff) return [0, 0];
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return [view.getUint16(at + 7), view.getUint16(at + 5)];
    else at += 2 + view.getUint16(at + 2);
  }
  return [0, 0];
}

/**
 * The larger of the screen and the first frame, which need not lie in it.
 * @param {DataView} view
 * @returns {[number, number]}
 */
function sizeOfGif(view) {
  const screen = [view.getUint16(6, true), view.getUint16(8, true)];
  let at = 13 + colours(view.getUint8(10));
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const block = view.getUint8(at);
    if (block === 0x2c)
      return [
        Math.max(screen[0], view.getUint16(at + 1, true) + view.getUint16(at + 5, true)),
        Math.max(screen[1], view.getUint16(at + 3, true) + view.getUint16(at + 7, true)),
      ];
    if (block !== 0x21) return [0, 0];
    at += 2;
    while (view.getUint8(at) !== 0 && step < MAX_STEPS) {
      at += 1 + view.getUint8(at);
      step += 1;
    }
    at += 1;
  }
  return [0, 0];
}

/** @param {number} flags */
function colours(flags) {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/**
 * @param {DataView} view
 * @returns {[number, number]}
 */
function sizeOfWebp(view) {
  const form = view.getUint32(12);
  /** @param {number} at */
  const three = (at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  if (form === 0x56503858) return [three(24) + 1, three(27) + 1]; // VP8X
  if (form === 0x5650384c) {
    const bits = view.getUint32(21, true); // VP8L
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  if (form === 0x56503820) return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff]; // VP8
  return [0, 0];
}

/**
 * Estimated tokens of an image.
 * @param {{width: number | null, height: number | null}} image
 */
export function tokensOf({ width, height }) {
  return Math.ceil(((width ?? USEFUL_SIDE) * (height ?? USEFUL_SIDE)) / PIXELS_PER_TOKEN);
}
