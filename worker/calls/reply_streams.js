// @ts-check
// Reply streams: the two ways in which a reply of the endpoint comes bit by bit.
//
// In: the body of a response. Out: JSON values, one per server-sent event or per line. Bytes may be cut anywhere.

import { providerError } from "../wire/errors.js";

/** @typedef {import("../wire/protocol.js").Json} Json */

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Json>}
 */
export async function* eventsOf(body) {
  for await (const text of textEventsOf(body)) yield parseJson(text);
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<string>} the data of each server-sent event
 */
export async function* textEventsOf(body) {
  /** @type {string[]} */
  let data = [];
  for await (const line of linesOf(body)) {
    if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
    if (line !== "" || data.length === 0) continue;
    yield data.join("\n");
    data = [];
  }
  if (data.length > 0) yield data.join("\n");
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Json>}
 */
export async function* valuesOf(body) {
  for await (const line of linesOf(body)) {
    if (line.trim() !== "") yield parseJson(line);
  }
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<string>} lines without their ends; the last one also when its end is missing
 */
async function* linesOf(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  /** @type {string[]} */
  let open = [];
  try {
    for (let done = false; !done; ) {
      const part = await received(reader.read());
      done = part.done;
      const lines = decoder.decode(part.value, { stream: !done }).split("\n");
      for (const line of lines.slice(0, -1)) {
        yield unended(open.join("") + line);
        open = [];
      }
      open.push(lines[lines.length - 1]);
    }
    yield unended(open.join(""));
  } finally {
    reader.cancel().catch(() => {}); // it has failed or is at its end: nothing is left to cancel
  }
}

/**
 * A read from the network; a broken connection is a ProviderError of its type.
 * @template T
 * @param {Promise<T>} coming
 * @returns {Promise<T>}
 */
export function received(coming) {
  return coming.catch((error) => {
    if (!(error instanceof TypeError)) throw error;
    const message = `the connection to the server broke off (${error.message}). Ask again.`;
    throw Object.assign(providerError(message, { type: "reply-cut-off", retryable: true }), { cause: error });
  });
}

/** @param {string} line */
function unended(line) {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/**
 * @param {string} text
 * @returns {Json}
 */
export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (fault) {
    const shown = JSON.stringify(text.slice(0, 80));
    const error = providerError(
      `the server sent something that is not JSON: ${shown}. Check what answers at the endpoint.`,
      { type: "reply-malformed", retryable: true },
    );
    throw Object.assign(error, { cause: fault });
  }
}
