// @ts-check
// Tools: calls the caller's functions for the worker.
//
// In: the body of a `tool` request. Out: what the function gave, as JSON; its error, with its message.
// The worker may call what the job names, with JSON only, and gets JSON only: it never holds anything of the page.

import { protocolError, rlmError } from "../wire/errors.js";
import { checkedJson } from "../wire/json.js";
import { TOOL_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMFunction} RLMFunction
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {import("../wire/protocol.js").ToolRequest} ToolRequest
 * @typedef {{name: string, args: Json[], kwargs: Record<string, Json>}} Called
 */

/**
 * Who wants to know. A function is called when `started` resolves; `again`: it was called before, and did not answer.
 * @typedef {object} Told
 * @property {(name: string, request: {mark: string, again: boolean}) => Promise<void>} started
 * @property {(called: Called & {result: Json, error: string | null}) => void} finished
 */

/**
 * @param {object} options
 * @param {Record<string, RLMFunction>} options.functions
 * @param {Told} options.told
 */
export function openTools({ functions, told }) {
  return {
    /** @type {import("../wire/channel.js").Handler} */
    async handle(body, answer) {
      const { name, args, kwargs } = parseRequest(body);
      if (!Object.hasOwn(functions, name)) throw protocolError(`no function ${name} among the tools.`);
      const called = { name, args, kwargs };
      await told.started(name, { mark: answer.mark?.() ?? "", again: answer.again !== undefined });
      try {
        const result = await resultOf(functions[name], called);
        told.finished({ ...called, result, error: null });
        answer.write(new TextEncoder().encode(JSON.stringify(result)));
        answer.end();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        told.finished({ ...called, result: null, error: message });
        throw rlmError("ToolError", message, {});
      }
    },
  };
}

/** @returns {Promise<Json>} */
async function resultOf(/** @type {RLMFunction} */ call, /** @type {Called} */ { name, args, kwargs }) {
  const given = Object.keys(kwargs).length > 0 ? [...args, kwargs] : args;
  const result = await call.apply({ args, kwargs }, given);
  return result === undefined ? null : checkedJson(result, `the result of ${name}`);
}

/** @returns {ToolRequest} */
function parseRequest(/** @type {string} */ body) {
  const value = /** @type {unknown} */ (JSON.parse(body));
  const wrong = mismatch(TOOL_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  return /** @type {ToolRequest} */ (value);
}
