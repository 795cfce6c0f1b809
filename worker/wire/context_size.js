// @ts-check
// Context size: the tokens of a context, estimated by the sizes of its files alone.
//
// In: names and bytes. Out: tokens and pictures. Text and documents count by their bytes, pictures by a usual size. A
// direct call is weighed once more by the text that was read, before it leaves.

import { BYTES_PER_TOKEN, IMAGE_TOKENS } from "./protocol.js";

/** Share of the window that a context may fill: the rest is for the reply, and for an estimate that is too low. */
export const MOST_SHARE = 0.75;
const IMAGE_NAME = /\.(?:png|jpe?g|gif|webp)$/i;

/**
 * Estimated tokens of a context, and the number of pictures in it.
 * @param {{name: string, size: number}[]} files
 */
export function estimate(files) {
  const pictures = files.filter(({ name }) => IMAGE_NAME.test(name)).length;
  const bytes = files.reduce((sum, { name, size }) => sum + (IMAGE_NAME.test(name) ? 0 : size), 0);
  return { tokens: Math.ceil(bytes / BYTES_PER_TOKEN) + pictures * IMAGE_TOKENS, pictures };
}
