// @ts-check
// Complete request: the body of a worker's request for model calls.
//
// In: JSON text, which is untrusted. Out: the request, or a ProtocolError that names the field that differs.

import { protocolError } from "./errors.js";
import { COMPLETE_SCHEMA } from "./protocol.js";
import { mismatch } from "./schema.js";

/** @typedef {import("./protocol.js").CompleteRequest} CompleteRequest */
/** @typedef {import("./protocol.js").RequestedCall} RequestedCall */

const MAX_SCHEMA_CHARS = 40_000; // twice the worker's limit, which counts a surrogate pair as one

/**
 * A schema leaves the tab beside its prompt: it has to be a part of the prompt, where the ledger, the gate and the limits
 * see it.
 * @param {RequestedCall} call
 */
function checkSchema({ schema, messages }) {
  if (schema === null || schema === undefined) return;
  if (schema.length > MAX_SCHEMA_CHARS)
    throw protocolError(`a schema of ${schema.length} characters; ${MAX_SCHEMA_CHARS} are allowed.`);
  if (messages.length !== 1 || !messages[0].content.endsWith(schema))
    throw protocolError("a schema that does not end its prompt.");
  if (Object.prototype.toString.call(JSON.parse(schema)) !== "[object Object]")
    throw protocolError("a schema that is no object.");
}

/**
 * @param {string} body
 * @param {any} [value] that the body is, where it was parsed before
 * @returns {CompleteRequest}
 */
export function parseRequest(body, value = JSON.parse(body)) {
  const wrong = mismatch(COMPLETE_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  value.calls.forEach(checkSchema);
  return value;
}
