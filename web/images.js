// @ts-check
/**
 * Images of calls: their names and sizes in words. In: an image as the log or a request has it. Out: text. The source is
 * model code's word.
 */

import { bytes, count, plural } from "./format.js";

/** @typedef {{source: string, page: number | null, width: number | null, height: number | null, bytes: number, type: string}} Image */

/** @param {Image & {prompt?: number}} image */
export function imageName({ source, page, prompt }) {
  const beside = prompt === undefined ? "" : `Prompt ${count(prompt + 1)}: `;
  return `${beside}${source || "an image made by code"}${page === null ? "" : `, page ${count(page)}`}`;
}

/** @param {Image} image */
export function imageFacts({ width, height, bytes: size, type }) {
  const pixels = width === null || height === null ? "" : `${count(width)} x ${count(height)} px, `;
  return `${pixels}${bytes(size)}, ${type}`;
}

/** @param {number} images */
export function imageCount(images) {
  return images === 0 ? "" : ` and ${plural(images, "image")}`;
}
