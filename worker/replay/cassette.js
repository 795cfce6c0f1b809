// @ts-check
// Cassette: the answers of models and tools in a recorded run, for one that is made from it.
//
// In: the events of a log. Out: each recorded answer once, to an equal request at the same position in the tree. Which
// requests are allowed, and what becomes of one that has no answer here, is decided in replay.js and fork.js.

import { recordedCalls } from "../log/recorded_calls.js";
import { encodeFrame } from "../wire/frames.js";
import { isKeptByJavaScript, jsonText } from "../wire/json.js";
import { spend } from "../wire/usage.js";
import { grouped } from "./difference.js";

/**
 * @typedef {import("../log/recorded_calls.js").RecordedCall} RecordedCall
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").RLMChild} RLMChild
 * @typedef {import("../wire/types.d.ts").RLMFunction} RLMFunction
 * @typedef {import("../wire/types.d.ts").Source} Source
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {import("../wire/types.d.ts").Witness} Witness
 * @typedef {(kind: Kind, call: RequestedCall) => string} KeyOf
 * @typedef {{name: string, args: Json[], kwargs: Record<string, Json>, json: string}} ToolCall
 * @typedef {Event & {type: "tool_called"}} RecordedTool
 */

/**
 * A run made from a log, as `RLM.run` sees it.
 * @typedef {object} Made
 * @property {Source} source
 * @property {AbortSignal} end ends the run at once: it differs, or its recording ends here
 * @property {(job: StartJob) => StartJob} job with the log's own questions, models or limits
 * @property {(onEvent: (event: Event) => void) => (event: Event) => void} watched
 * @property {(child: RLMChild) => void} [onChild]
 * @property {(result: RunResult) => RunResult} close throws the first difference
 */

/**
 * @param {Event[]} events
 * @param {KeyOf} keyOf which calls count as equal
 */
export function openCassette(events, keyOf) {
  const calls = recordedCalls(events).filter(({ isUnused }) => !isUnused);
  const left = new Set(calls);
  const answeredFirst = [...calls].sort((one, other) => Number(one.outcome === null) - Number(other.outcome === null));
  const byKey = grouped(answeredFirst, ({ path, kind, call }) => `${path} ${keyOf(kind, call)}`);
  const called = events.filter((event) => event.type === "tool_called");
  const toolsByKey = grouped(called, (tool) => `${tool.path} ${keyOfRecorded(tool)}`);

  return {
    /**
     * The next equal call in the run at `path`; null when there is none left.
     * @param {number[]} path
     * @param {Kind} kind
     * @param {RequestedCall} call
     */
    take(path, kind, call) {
      const recorded = byKey.get(`${path} ${keyOf(kind, call)}`)?.shift() ?? null;
      if (recorded !== null) left.delete(recorded);
      return recorded;
    },
    /**
     * @param {number[]} path
     * @param {ToolCall} called
     */
    takeTool: (path, called) => toolsByKey.get(`${path} ${toolKey(called)}`)?.shift() ?? null,
    /**
     * The next recorded call of this kind in the run at `path`.
     * @param {number[]} path
     * @param {Kind} kind
     */
    next: (path, kind) =>
      calls.find((one) => left.has(one) && one.kind === kind && `${one.path}` === `${path}`) ?? null,
    /** @param {number[]} path */
    lost: (path) => lostOf(events, path),
  };
}

/**
 * Answer a whole request from the record, counted and recorded as if its calls were made.
 * @param {{kind: Kind, calls: RequestedCall[], outcomes: Outcome[]}} request
 * @param {Witness} witness
 * @param {import("../wire/types.d.ts").Answer} answer
 * @param {Usage} usage is added to
 */
export function answerFrom({ kind, calls, outcomes }, witness, answer, usage) {
  const first = witness.started(kind, calls);
  outcomes.forEach((outcome, index) => {
    if ("completion" in outcome) spend(usage, outcome.completion.model, outcome.completion.usage);
    witness.finished(first + index, outcome);
    answer.write(encodeFrame(index, outcome));
  });
  answer.end();
}

/**
 * The caller's functions, with `play` between them and model code.
 * @param {Record<string, RLMFunction>} functions
 * @param {(called: ToolCall, live: () => unknown) => unknown} play
 * @returns {Record<string, RLMFunction>}
 */
export function playedTools(functions, play) {
  return Object.fromEntries(
    Object.entries(functions).map(([name, call]) => [
      name,
      /** @type {RLMFunction} */
      function (...positional) {
        const { args, kwargs, json } = /** @type {ToolCall} */ (this);
        return play({ name, args, kwargs, json }, () => call.apply(this, positional));
      },
    ]),
  );
}

/**
 * The recorded result of a function, or its error.
 * @param {RecordedTool} recordedTool
 */
export function playedTool({ result, result_json, error }) {
  if (error !== null) throw new Error(error);
  return result_json === null ? result : jsonText(result_json);
}

/** @param {RecordedTool} recordedTool */
function keyOfRecorded({ name, args, kwargs, arguments_json }) {
  return arguments_json === null ? keyOfTool(name, args, kwargs) : `${name} ${arguments_json}`;
}

/** @param {ToolCall} toolCall */
function toolKey({ name, args, kwargs, json }) {
  return isKeptByJavaScript(json) ? keyOfTool(name, args, kwargs) : `${name} ${json}`;
}

/**
 * @param {string} name
 * @param {Json[]} args
 * @param {Record<string, Json>} kwargs
 */
function keyOfTool(name, args, kwargs) {
  return JSON.stringify([name, args, kwargs], sortedKeys);
}

/**
 * For `JSON.stringify`: equal objects give equal text, whatever the order of their keys.
 * @param {string} _key
 * @param {unknown} value
 */
function sortedKeys(_key, value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/**
 * @param {Event[]} events
 * @param {number[]} path
 * @returns {PastBlock[]}
 */
function lostOf(events, path) {
  return events
    .filter((event) => event.type === "block_finished")
    .filter((event) => `${event.path}` === `${path}` && event.lost)
    .map(({ iteration, block, observation }) => ({ iteration, block, observation, lost: true }));
}
