// @ts-check
// Tools: calls the caller's functions for the worker.
//
// In: the body of a `tool` request. Out: the function's result as JSON text, or its error with its message. The worker may
// call the functions that the job names, with JSON only, and gets JSON only: it never holds anything of the page.

import { protocolError, rlmError } from "../wire/errors.js";
import { isKeptByJavaScript, textOfJson } from "../wire/json.js";
import { TOOL_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {import("../wire/types.d.ts").RLMFunction} RLMFunction
 */

/**
 * A call of a function; `json` is the text of its arguments.
 * @typedef {{name: string, args: Json[], kwargs: Record<string, Json>, json: string}} Call
 */

/**
 * The recorded facts of a call that is over; the JSON texts where JavaScript changes them.
 * @typedef {Pick<Call, "name" | "args" | "kwargs"> & {arguments_json: string | null, result: Json, result_json: string | null,
 *   error: string | null}} Called
 */

/**
 * The accounts of these calls. A function is called when `started` resolves; `again`: it was called before, and did not
 * answer.
 * @typedef {object} ToolCalls
 * @property {(name: string, request: {mark: string, again: boolean}) => Promise<void>} started
 * @property {(called: Called) => void} finished
 */

/**
 * @param {object} options
 * @param {Record<string, RLMFunction>} options.functions
 * @param {ToolCalls} options.calls
 */
export function openTools({ functions, calls }) {
  return {
    /** @type {import("../wire/types.d.ts").Handler} */
    async handle(body, answer) {
      const call = parseRequest(body);
      const { name } = call;
      if (!Object.hasOwn(functions, name)) throw protocolError(`no function ${name} among the tools.`);
      await calls.started(name, { mark: answer.mark?.() ?? "", again: answer.again !== undefined });
      try {
        const text = await resultOf(functions[name], call);
        calls.finished(called(call, text, null));
        answer.write(new TextEncoder().encode(text));
        answer.end();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        calls.finished(called(call, null, message));
        throw rlmError("ToolError", message, {});
      }
    },
  };
}

/**
 * @param {RLMFunction} call
 * @param {Call} options
 * @returns {Promise<string>} JSON text
 */
async function resultOf(call, { name, args, kwargs, json }) {
  const positional = Object.keys(kwargs).length > 0 ? [...args, kwargs] : args;
  const own = Object.defineProperty({ args, kwargs, json }, "json", { enumerable: false }); // `this` may be the result
  const result = await call.apply(own, positional);
  return result === undefined ? "null" : textOfJson(result, `the result of ${name}`);
}

/**
 * @param {Call} call
 * @param {string | null} text of the result
 * @param {string | null} error
 * @returns {Called}
 */
function called({ name, args, kwargs, json }, text, error) {
  const arguments_json = isKeptByJavaScript(json) ? null : json;
  const result_json = text === null || isKeptByJavaScript(text) ? null : text;
  return { name, args, kwargs, arguments_json, result: text === null ? null : JSON.parse(text), result_json, error };
}

/**
 * @param {string} body
 * @returns {Call}
 */
function parseRequest(body) {
  const request = JSON.parse(body);
  const wrong = mismatch(TOOL_SCHEMA, request, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  const { args, kwargs } = Object(JSON.parse(request.arguments));
  if (!Array.isArray(args) || typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs))
    throw protocolError("the arguments of a function are a list and an object.");
  return { name: request.name, args, kwargs, json: request.arguments };
}
