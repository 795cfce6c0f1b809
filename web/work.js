// @ts-check
/**
 * Requests of a block: sub-calls, tool calls and child runs, as the page shows them. In: events. Out: `Work`, changed
 * in place, and the state of each part of it. Nothing here draws.
 */

/** @typedef {import("./types/run.js").CallGroup} CallGroup */
/** @typedef {import("./types/run.js").CallState} CallState */
/** @typedef {import("./types/run.js").CallView} CallView */
/** @typedef {import("./types/run.js").ChildView} ChildView */
/** @typedef {import("./types/run.js").Work} Work */
/**
 * @template {import("./types/run.js").RunEvent["type"]} T
 * @typedef {import("./types/run.js").EventOf<T>} EventOf
 */

const MOST_ARGUMENT_CHARS = 100_000;

/** @returns {Work} */
export function newWork() {
  return { subCalls: { calls: [], expected: 0 }, toolCalls: { calls: [], expected: 0 }, children: [] };
}

/** @param {EventOf<"call_started">} event @returns {CallView} */
export function newCall(event) {
  return {
    call: event.call,
    kind: event.kind,
    state: "running",
    model: event.model ?? "",
    prompt: event.messages.map((message) => message.content).join("\n\n"),
    images: event.images,
    reply: "",
    reasoning: "",
    error: "",
    startedAt: event.seconds,
    seconds: 0,
    cost: 0,
    isDenied: false,
    isUnused: event.ahead === "unused",
  };
}

/** @param {CallView} call @param {EventOf<"call_finished">} event */
export function finishCall(call, event) {
  call.state = endState(call, event);
  call.model = event.model || call.model;
  call.reply = event.text ?? "";
  call.reasoning = event.reasoning;
  call.error = event.error ?? "";
  call.seconds = event.seconds - call.startedAt;
  call.cost = event.usage.calls > 0 ? event.usage.cost : 0;
}

/** @param {CallView} call @param {EventOf<"call_finished">} event @returns {CallState} */
function endState({ isDenied }, { error, stopped }) {
  if (error === null) return "done";
  if (isDenied) return "denied";
  return stopped ? "stopped" : "failed";
}

/** A tool's call is reported when it is over. @param {EventOf<"tool_called">} event @returns {CallView} */
export function toolCall(event) {
  return {
    call: event.seq,
    kind: "tool",
    state: event.error === null ? "done" : "failed",
    model: "",
    prompt: asCode(event),
    images: [],
    reply: event.error === null ? JSON.stringify(event.result).slice(0, MOST_ARGUMENT_CHARS) : "",
    reasoning: "",
    error: event.error ?? "",
    startedAt: event.seconds,
    seconds: 0,
    cost: 0,
    isDenied: false,
    isUnused: false,
  };
}

/** A batch announces its size with each of its calls: those not started yet are waiting.
 * @param {CallGroup} group @param {CallView} call @param {number} batch */
export function addCall(group, call, batch) {
  if (group.calls.length >= group.expected) group.expected = group.calls.length + batch;
  group.calls.push(call);
}

/** The state of each call, those that wait to be sent included. @param {CallGroup} group @returns {CallState[]} */
export function callStates(group) {
  const waiting = Math.max(0, group.expected - group.calls.length);
  return [...group.calls.map(({ state }) => state), .../** @type {CallState[]} */ (Array(waiting).fill("waiting"))];
}

/**
 * @param {ChildView} child
 * @param {boolean} isLive whether its block still runs
 * @returns {CallState}
 */
export function childState({ ending, startedAt, stopping }, isLive) {
  if (ending?.stopped_by === "final_answer") return "done";
  if (ending?.stopped_by === "denied") return "denied";
  if (ending !== null && ending.stopped_by !== "cancelled") return "failed";
  if (ending !== null || !isLive || (stopping && startedAt === null)) return "stopped";
  return startedAt === null ? "waiting" : "running";
}

/** @param {EventOf<"tool_called">} event */
function asCode({ name, args, kwargs }) {
  const values = [
    ...args.map((value) => JSON.stringify(value)),
    ...Object.entries(kwargs).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
  ];
  return `${name}(${values.join(", ").slice(0, MOST_ARGUMENT_CHARS)})`;
}
