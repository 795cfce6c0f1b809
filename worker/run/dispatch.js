// @ts-check
// Requests: who answers what the worker asks for.
//
// In: the JSON body of a request. Out: the same, to the handler of its `op`. It reads no more of the body than that.

import { protocolError } from "../wire/errors.js";

/** @typedef {import("../wire/channel.js").Handler} Handler */

const OP = /^\{"op": ?"([a-z]+)"/; // the bridge writes it first

/**
 * @param {Record<string, Handler>} handlers by `op`
 * @returns {Handler}
 */
export function dispatch(handlers) {
  return (body, answer, data) => {
    const op = OP.exec(body)?.[1] ?? "";
    if (!Object.hasOwn(handlers, op)) throw protocolError(`a request for "${op}".`);
    return handlers[op](body, answer, data);
  };
}
