// @ts-check
// Texts beside: long prompts of a request, which travel as bytes beside its JSON.
//
// In: a request for model calls, as the value that its JSON is, and the bytes beside it, both untrusted. Out: the same with
// its texts in place, and the bytes that are none. In the JSON each text would be in memory three times: there, parsed, and
// as the page keeps it; a text that is decoded is there once.

import { release } from "./buffers.js";
import { protocolError } from "./errors.js";
import { MAX_MESSAGE_CHARS } from "./protocol.js";

/**
 * @typedef {{value: any, data: ArrayBuffer[], chars: number}} Joined `chars` of the texts, at least
 */

/**
 * The last `texts` of the bytes are the contents that are `null`, in their order.
 * @param {any} value
 * @param {ArrayBuffer[]} data
 * @returns {Joined}
 */
export function withTexts(value, data) {
  if (value?.op !== "complete" || value.texts === undefined) return { value, data, chars: 0 };
  const { texts, ...request } = value;
  if (!Number.isInteger(texts) || texts < 0 || texts > data.length)
    throw protocolError(`${texts} texts beside a request; ${data.length} are there.`);
  const beside = data.slice(data.length - texts);
  const bytes = beside.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (bytes > MAX_MESSAGE_CHARS) throw protocolError(`texts of ${bytes} bytes; ${MAX_MESSAGE_CHARS} are allowed.`);
  const open = openMessages(request.calls);
  if (open.length !== texts) throw protocolError(`${texts} texts beside a request with room for ${open.length}.`);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // a mark at its beginning is a character of the text
  for (const [index, message] of open.entries()) {
    message.content = decoder.decode(beside[index]);
    release(beside[index]);
  }
  return { value: request, data: data.slice(0, data.length - texts), chars: bytes };
}

/** @param {any} calls @returns {{content: string | null}[]} */
function openMessages(calls) {
  if (!Array.isArray(calls)) return [];
  const messages = calls.flatMap((call) => (Array.isArray(call?.messages) ? call.messages : []));
  return messages.filter((message) => message?.content === null);
}
