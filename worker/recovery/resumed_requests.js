// @ts-check
// Resumed requests: the events of one run -> its requests, each with as much of its answer as the log holds.
//
// In: the events in their order, and the child runs below. Out: entries for the tape of request_tape.js. The worker makes
// one request at a time, so the order of the events is that of the requests.

import { keyOf, recordedCalls } from "../log/recorded_calls.js";
import { toOutcome } from "../wire/child_outcome.js";
import { rlmError } from "../wire/errors.js";
import { encodeFrame } from "../wire/frames.js";
import { samePosition } from "./observed_blocks.js";
import { openEntry } from "./recorded_request.js";
import { hasMark } from "./request_mark.js";

/**
 * @typedef {import("../wire/protocol.js").CompleteRequest} CompleteRequest
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("../log/recorded_calls.js").RecordedCall} RecordedCall
 * @typedef {import("./recorded_request.js").Entry} Entry
 * @typedef {import("./request_mark.js").WorkerRequest} WorkerRequest
 * @typedef {import("./types.d.ts").ResumedRun} ResumedRun
 * @typedef {{kind: Kind, calls: RequestedCall[]}} Calls
 */

/**
 * A request with its entry, and the model calls in it.
 * @typedef {{requested: Calls | null, entry: Entry}} Group
 */

/**
 * The requests in their order; an answer is there as soon as the log holds it.
 * @param {Event[]} events
 * @param {{blocks: PastBlock[], children: Map<number, ResumedRun>}} known
 */
export function entriesOf(events, { blocks, children }) {
  /** @param {Position | null} position */
  const isLost = (position) => blocks.some((block) => block.lost && samePosition(block, position));
  const calls = new Map(recordedCalls(events).map((call) => [call.number, call]));
  /** @type {Group[]} */
  const groups = [];
  /** @type {Map<number, {group: Group, index: number}>} */
  const open = new Map();
  /** @type {Position | null} */
  let position = null;
  for (const event of events) {
    if (event.type === "block_started") position = event;
    else if (event.type === "block_finished") position = null;
    else if (event.type === "call_started" && event.ahead !== "unused" && !open.has(event.call)) {
      const batch = batchOf(calls, event);
      if (batch.length < event.batch) continue; // the log ends within its lines
      const { group, indexes } = groupOf(groups, batch, { position, isLost });
      batch.forEach(({ number }, at) => open.set(number, { group, index: indexes[at] }));
    } else if (event.type === "call_finished") settleCall(open.get(event.call), calls.get(event.call));
    else if (event.type === "request_started")
      groups.push({ requested: null, entry: entryOf(event, position, children) });
    else if (event.type === "tool_called") settleTool(groups, event);
  }
  return groups.map(({ entry }) => entry);
}

// -------------------------------------------------------------------------------------------------------- model calls

/** The calls of one request; those of a batch have numbers in a row. */
function batchOf(
  /** @type {Map<number, RecordedCall>} */ calls,
  /** @type {Event & {type: "call_started"}} */ { call, batch },
) {
  const numbers = Array.from({ length: batch }, (_, at) => call + at);
  return numbers.flatMap((number) => calls.get(number) ?? []);
}

/**
 * The group of a batch: one whose unanswered calls it repeats, or a new one. A request that is repeated in another block
 * than before belongs to that one from then on.
 * @param {Group[]} groups
 * @param {RecordedCall[]} batch
 * @param {{position: Position | null, isLost: (position: Position | null) => boolean}} where
 */
function groupOf(groups, batch, { position, isLost }) {
  const [{ kind }] = batch;
  const requested = { kind, calls: batch.map(({ call }) => call) };
  const key = keyOfCalls(requested);
  const repeated = groups.findLastIndex(
    (group, at) => (at === groups.length - 1 || isLost(group.entry.position)) && key === keyOfUnanswered(group),
  );
  if (repeated !== -1) {
    const [group] = groups.splice(repeated, 1);
    group.entry.position = position;
    group.entry.again += batch.length;
    groups.push(group);
    return { group, indexes: [...group.entry.missing] };
  }
  const indexes = batch.map((_, index) => index);
  const number = groups.reduce((sum, { entry }) => sum + entry.calls, 0);
  const fields = { isRoot: kind === "root", position, number, calls: batch.length, missing: [...indexes] };
  const group = { requested, entry: openEntry((request) => keyOfRequest(request) === key, fields) };
  groups.push(group);
  return { group, indexes };
}

/**
 * @param {Group} group
 * @returns {string | null}
 */
function keyOfUnanswered({ requested, entry: { missing } }) {
  if (requested === null || missing.length === 0) return null;
  return keyOfCalls({ ...requested, calls: missing.map((index) => requested.calls[index]) });
}

/** @param {Calls} calls */
function keyOfCalls({ kind, calls }) {
  return calls.map((call) => keyOf(kind, call)).join();
}

/**
 * The same of a request; null for one of another kind.
 * @param {WorkerRequest} workerRequest
 */
function keyOfRequest({ value, digests }) {
  const { op, kind, calls } = /** @type {Partial<CompleteRequest>} */ (Object(value));
  if (op !== "complete" || kind === undefined || calls === undefined) return null;
  const named = calls.map((call) => ({
    ...call,
    pictures: (call.images ?? []).map(({ data }) => ({ sha256: digests[data] })),
  }));
  return named.map((call) => keyOf(kind, call)).join();
}

/**
 * @param {{group: Group, index: number} | undefined} part
 * @param {RecordedCall | undefined} recorded
 */
function settleCall(part, recorded) {
  if (part !== undefined && recorded?.outcome) settle(part.group.entry, part.index, recorded.outcome);
}

/**
 * @param {Entry} entry
 * @param {number} index
 * @param {Outcome} outcome
 */
function settle(entry, index, outcome) {
  if (!entry.missing.includes(index)) return;
  entry.frames.push(encodeFrame(index, outcome));
  entry.missing = entry.missing.filter((left) => left !== index);
  if (entry.missing.length === 0) entry.end = { ok: true, error: null };
}

// ------------------------------------------------------------------------------------------- child runs and functions

/**
 * @param {Event & {type: "request_started"}} event
 * @param {Position | null} position
 * @param {Map<number, ResumedRun>} runs
 * @returns {Entry}
 */
function entryOf({ op, mark, name, children }, position, runs) {
  const isTool = op === "tool";
  const missing = isTool ? [0] : children.map((_, index) => index);
  const fields = { position, children, missing, tool: isTool ? name : null };
  const entry = openEntry((request) => hasMark(request, mark), fields);
  children.forEach((number, index) => {
    const ended = runs.get(number)?.ended;
    if (ended) settle(entry, index, toOutcome(ended, ended.stopped_by === "cancelled"));
  });
  return entry;
}

/**
 * The result of a function goes to the last call of it that has no answer.
 * @param {Group[]} groups
 * @param {Event & {type: "tool_called"}} event
 */
function settleTool(groups, { name, result, result_json, error }) {
  const called = groups.findLast(({ entry }) => entry.tool === name && entry.missing.length > 0);
  if (called === undefined) return;
  const { entry } = called;
  entry.missing = [];
  if (error === null) entry.frames.push(new TextEncoder().encode(result_json ?? JSON.stringify(result)));
  entry.end = error === null ? { ok: true, error: null } : { ok: false, error: rlmError("ToolError", error, {}) };
}
