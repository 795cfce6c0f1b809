// @ts-check
// Cassette: what models and tools answered in a recorded run, for one that is made again.
//
// In: the events of a log. Out: each recorded answer once, to whoever asks the same at the same place of the tree.
// Who may ask what, and what becomes of a question that has no answer here, is replay.js's and fork.js's.

import { grouped } from "./difference.js";
import { encodeFrame } from "../wire/frames.js";
import { isDeath } from "../recovery/crashes.js";
import { providerError, toWireError } from "../wire/errors.js";
import { spend } from "../wire/usage.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {import("../wire/protocol.js").Message} Message
 * @typedef {import("../wire/protocol.js").ModelUsage} ModelUsage
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").RLMFunction} RLMFunction
 * @typedef {"root" | "sub"} Kind
 * @typedef {(kind: Kind, call: RequestedCall) => string} KeyOf
 * @typedef {{name: string, args: Json[], kwargs: Record<string, Json>}} ToolCall
 */

/**
 * A recorded call; its `outcome` is null when none was recorded: the run was stopped first, or cut off and continued.
 * @typedef {{path: number[], kind: Kind, call: RequestedCall, outcome: Outcome | null, taken: boolean}} RecordedCall
 * @typedef {{path: number[], called: ToolCall, result: Json, error: string | null, taken: boolean}} RecordedTool
 */

/**
 * A run made from a log, as `RLM.run` sees it.
 * @typedef {object} Made
 * @property {import("../wire/types.d.ts").Source} source
 * @property {AbortSignal} end ends the run at once: it differs, or its recording does not go on
 * @property {(job: import("../wire/protocol.js").StartJob) => import("../wire/protocol.js").StartJob} job with what the log says of it
 * @property {(onEvent: (event: Event) => void) => (event: Event) => void} watched
 * @property {(child: import("../wire/types.d.ts").RLMChild) => void} [onChild]
 * @property {(result: import("../wire/protocol.js").RunResult) => import("../wire/protocol.js").RunResult} close throws what was wrong
 */

const STOPPED = "the call was stopped";

/** The same question to the same model. @type {KeyOf} */
export function exactly(kind, { model, messages }) {
  return JSON.stringify([kind, model, turns(messages)]);
}

function turns(/** @type {Message[]} */ messages) {
  return messages.map(({ role, content }) => [role, content]);
}

/**
 * @param {Event[]} events
 * @param {KeyOf} keyOf which calls are taken for the same
 */
export function openCassette(events, keyOf) {
  const calls = callsOf(events);
  const tools = toolsOf(events);
  const answeredFirst = [...calls].sort((one, other) => Number(one.outcome === null) - Number(other.outcome === null));
  const byKey = grouped(answeredFirst, ({ path, kind, call }) => `${path} ${keyOf(kind, call)}`);
  const toolsByKey = grouped(tools, ({ path, called }) => `${path} ${toolKey(called)}`);

  return {
    /** The next recorded call that is the same, in the run at `path`; null when there is none left. */
    take: (/** @type {number[]} */ path, /** @type {Kind} */ kind, /** @type {RequestedCall} */ call) =>
      firstLeft(byKey.get(`${path} ${keyOf(kind, call)}`)),
    takeTool: (/** @type {number[]} */ path, /** @type {ToolCall} */ called) =>
      firstLeft(toolsByKey.get(`${path} ${toolKey(called)}`)),
    /** What was asked next of this kind in the run at `path`, when it was recorded. */
    next: (/** @type {number[]} */ path, /** @type {Kind} */ kind) =>
      calls.find((one) => !one.taken && one.kind === kind && `${one.path}` === `${path}`) ?? null,
    lost: (/** @type {number[]} */ path) => lostOf(events, path),
  };
}

/**
 * Answer a whole request from the record, counted and recorded as if its calls were made.
 * @param {{kind: Kind, calls: RequestedCall[], outcomes: Outcome[]}} request
 * @param {import("../wire/types.d.ts").Witness} witness
 * @param {import("../wire/channel.js").Answer} answer
 * @param {Record<string, ModelUsage>} usage is added to
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
 * The caller's functions, with `play` between them and who calls them.
 * @param {Record<string, RLMFunction>} functions
 * @param {(called: ToolCall, live: () => unknown) => unknown} play
 * @returns {Record<string, RLMFunction>}
 */
export function playedTools(functions, play) {
  return Object.fromEntries(
    Object.entries(functions).map(([name, call]) => [
      name,
      /** @type {RLMFunction} */
      function (...given) {
        const { args, kwargs } = /** @type {ToolCall} */ (this);
        return play({ name, args, kwargs }, () => call.apply(this, given));
      },
    ]),
  );
}

/** What a recorded function gave, or its error. */
export function playedTool(/** @type {RecordedTool} */ { result, error }) {
  if (error !== null) throw new Error(error);
  return result;
}

/**
 * @template {{taken: boolean}} T
 * @param {T[] | undefined} alike
 * @returns {T | null}
 */
function firstLeft(alike) {
  const found = alike?.shift() ?? null;
  if (found) found.taken = true;
  return found;
}

/** @returns {RecordedCall[]} in the order in which they left */
function callsOf(/** @type {Event[]} */ events) {
  /** @type {Map<number, RecordedCall>} */
  const calls = new Map();
  /** @type {Record<string, Message[]>} of the last root call of each run */
  const conversations = {};
  for (const event of events) {
    if (event.type === "call_started") {
      const { path, kind, model, kept } = event;
      const messages = [...(conversations[`${path}`] ?? []).slice(0, kept), ...event.messages];
      if (kind === "root") conversations[`${path}`] = messages;
      calls.set(event.call, { path, kind, call: { model, messages }, outcome: null, taken: false });
    } else if (event.type === "call_finished" && event.error !== STOPPED) {
      const call = calls.get(event.call);
      if (call) call.outcome = outcomeOf(event);
    }
  }
  return [...calls.values()];
}

/** @returns {Outcome} */
function outcomeOf(/** @type {Event & {type: "call_finished"}} */ { text, model, usage, finish_reason = null, error }) {
  return text === null
    ? { error: toWireError(providerError(error ?? "")) }
    : { completion: { text, model, usage, finish_reason } };
}

/** @returns {RecordedTool[]} */
function toolsOf(/** @type {Event[]} */ events) {
  return events
    .filter((event) => event.type === "tool_called")
    .map(({ path, name, args, kwargs, result, error }) => ({
      path,
      called: { name, args, kwargs },
      result,
      error,
      taken: false,
    }));
}

function toolKey(/** @type {ToolCall} */ { name, args, kwargs }) {
  return JSON.stringify([name, args, kwargs]);
}

/** @returns {PastBlock[]} */
function lostOf(/** @type {Event[]} */ events, /** @type {number[]} */ path) {
  return events
    .filter((event) => event.type === "block_finished")
    .filter((event) => `${event.path}` === `${path}` && isDeath(event.observation))
    .map(({ iteration, block, observation }) => ({ iteration, block, observation, lost: true }));
}
