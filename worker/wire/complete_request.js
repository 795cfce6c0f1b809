// @ts-check
// Complete request: the body of a worker's request for model calls.
//
// In: JSON text, which is untrusted. Out: the request, or a ProtocolError that names the field that differs.

import { protocolError } from "./errors.js";
import { COMPLETE_SCHEMA } from "./protocol.js";
import { mismatch } from "./schema.js";

/** @typedef {import("./protocol.js").CompleteRequest} CompleteRequest */

/**
 * @param {string} body
 * @param {any} [value] that the body is, where it was parsed before
 * @returns {CompleteRequest}
 */
export function parseRequest(body, value = JSON.parse(body)) {
  const wrong = mismatch(COMPLETE_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  return value;
}
