// @ts-check
// Images: those that model code sends beside its prompts, checked, scaled down and named before they leave.
//
// In: the calls of a request and the bytes beside it, both untrusted. Out: the same calls, each with its images as they
// will be sent. Number, sizes and kinds are checked by their first bytes before one is decoded; only one that is larger
// than models make use of is decoded at all, by the browser, one at a time.

import { protocolError, providerError } from "../wire/errors.js";
import { USEFUL_SIDE, imageFacts } from "../wire/image_facts.js";
import { MAX_IMAGES, MAX_IMAGES_BYTES, MAX_IMAGE_BYTES } from "../wire/protocol.js";
import { yieldToPage } from "../time/time_slices.js";

/**
 * @typedef {import("../wire/image_facts.js").ImageFacts} ImageFacts
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").CallImage} CallImage
 * @typedef {import("../wire/types.d.ts").HostCall} HostCall
 * @typedef {ImageFacts & {bytes: Uint8Array<ArrayBuffer>}} Scaled
 * @typedef {(bytes: Uint8Array<ArrayBuffer>, facts: ImageFacts) => Promise<Scaled>} Scale
 */

/** Bytes of the largest image that leaves: 5 MB as base64, the most that vendors take. */
export const MOST_BYTES = 3_750_000;
/** Pixels of the largest image that is decoded: 160 MB of them. */
const MOST_PIXELS = 40_000_000;
const STEP_BYTES = 3 << 16;
const QUALITY = 0.85;

/**
 * @param {RequestedCall[]} calls
 * @param {ArrayBuffer[]} data
 * @param {Scale} [scale]
 * @returns {Promise<HostCall[]>}
 */
export async function withImages(calls, data, scale = scaledDown) {
  if (!calls.some(({ images }) => images && images.length > 0)) return calls;
  check(calls, data);
  /** @type {Map<number, Omit<CallImage, "source" | "page">>} by their position in `data` */
  const prepared = new Map();
  for (const [index, { images }] of calls.entries())
    for (const [number, image] of (images ?? []).entries())
      if (!prepared.has(image.data)) {
        const where = `image ${number} of prompt ${index}`;
        prepared.set(image.data, await preparedImage(new Uint8Array(data[image.data]), where, scale));
      }
  return calls.map((call) => {
    const pictures = (call.images ?? []).map(({ source, page, data: at }) => ({
      ...{ source: source.slice(0, MAX_SOURCE_CHARS), page },
      .../** @type {Omit<CallImage, "source" | "page">} */ (prepared.get(at)),
    }));
    return pictures.length === 0 ? call : { ...call, pictures };
  });
}

const MAX_SOURCE_CHARS = 300;

/**
 * Images as a request to the server holds them.
 * @param {HostCall} call
 */
export function sentImages({ pictures = [] }) {
  return pictures.map(({ type, base64 }) => ({ type, data: base64 }));
}

/**
 * @param {RequestedCall[]} calls
 * @param {ArrayBuffer[]} data
 */
function check(calls, data) {
  for (const { images } of calls) {
    if (images === null || images === undefined) continue;
    if (images.length > MAX_IMAGES)
      throw providerError(`${images.length} images beside one prompt; ${MAX_IMAGES} are allowed.`);
    const missing = images.find(({ data: at }) => !(data[at] instanceof ArrayBuffer));
    if (missing) throw protocolError(`an image that is not beside its request: ${missing.data} of ${data.length}.`);
  }
  const size = data.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (size > MAX_IMAGES_BYTES)
    throw providerError(
      `the images of this request have ${size} bytes; ${MAX_IMAGES_BYTES} are allowed. Ask in parts.`,
    );
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} where
 * @param {Scale} scale
 * @returns {Promise<Omit<CallImage, "source" | "page">>}
 */
async function preparedImage(bytes, where, scale) {
  if (bytes.length > MAX_IMAGE_BYTES)
    throw providerError(`${where} has ${bytes.length} bytes; ${MAX_IMAGE_BYTES} are allowed.`);
  const facts = imageFacts(bytes);
  if (facts === null) throw providerError(`${where} is no whole PNG, JPEG, GIF or WebP.`);
  const { width, height } = facts;
  if (width * height > MOST_PIXELS)
    throw providerError(
      `${where} has ${width} x ${height} pixels; ${MOST_PIXELS} in all are allowed. Draw it smaller.`,
    );
  const isLarge = Math.max(width, height) > USEFUL_SIDE || bytes.length > MOST_BYTES;
  const sent = isLarge ? await scale(bytes, facts).catch((fault) => undecoded(where, fault)) : { ...facts, bytes };
  if (sent.bytes.length > MOST_BYTES) throw providerError(`${where} has ${sent.bytes.length} bytes when it is scaled.`);
  const sha256 = await sha256Of(bytes);
  await yieldToPage();
  return {
    ...{ type: sent.type, width: sent.width, height: sent.height, bytes: sent.bytes.length },
    ...{ sha256, sent_sha256: isLarge ? await sha256Of(sent.bytes) : sha256, base64: base64Of(sent.bytes) },
  };
}

/**
 * @param {string} where
 * @param {unknown} fault
 * @returns {never}
 */
function undecoded(where, fault) {
  throw providerError(`${where} cannot be decoded (${fault instanceof Error ? fault.message : fault}).`);
}

/** @type {Scale} */
async function scaledDown(bytes, { type, width, height }) {
  const whole = await createImageBitmap(new Blob([bytes], { type }));
  try {
    const by = Math.min(1, USEFUL_SIDE / Math.max(whole.width, whole.height));
    const [resizeWidth, resizeHeight] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * by)));
    const small = await createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: "high" });
    const canvas = new OffscreenCanvas(small.width, small.height);
    canvas.getContext("2d")?.drawImage(small, 0, 0);
    small.close();
    const drawn = await encodedCanvas(canvas, type);
    const facts = imageFacts(drawn);
    if (facts === null) throw new Error(`${width} x ${height} pixels could not be drawn`);
    return { ...facts, bytes: drawn };
  } finally {
    whole.close();
  }
}

/**
 * A photograph stays one; what is drawn stays exact, unless it is too large so.
 * @param {OffscreenCanvas} canvas
 * @param {string} type
 */
async function encodedCanvas(canvas, type) {
  const jpeg = { type: "image/jpeg", quality: QUALITY };
  const blob = await canvas.convertToBlob(type === "image/jpeg" ? jpeg : { type: "image/png" });
  const kept = blob.size > MOST_BYTES ? await canvas.convertToBlob(jpeg) : blob;
  return new Uint8Array(await kept.arrayBuffer());
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function sha256Of(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Uint8Array} bytes */
function base64Of(bytes) {
  const parts = [];
  for (let from = 0; from < bytes.length; from += STEP_BYTES) parts.push(btoa(letters(bytes, from)));
  return parts.join("");
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 */
function letters(bytes, from) {
  const parts = [];
  const to = Math.min(from + STEP_BYTES, bytes.length);
  for (let at = from; at < to; at += 8_192)
    parts.push(String.fromCharCode(...bytes.subarray(at, Math.min(at + 8_192, to))));
  return parts.join("");
}
