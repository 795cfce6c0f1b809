// @ts-check
// Asked: the events of one run -> its requests, each with as much of its answer as the log holds.
//
// In: the events in their order, and the child runs below. Out: entries for the tape of request_tape.js. The worker asks for
// one thing at a time, so the order of the events is that of the requests.

import { encodeFrame } from "../wire/frames.js";
import { toOutcome } from "../wire/child_outcome.js";
import { providerError, rlmError, toWireError } from "../wire/errors.js";
import { samePlace } from "./position.js";
import { openEntry, sameText } from "./request_tape.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Message} Message
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("./resume.js").RunPast} RunPast
 * @typedef {import("./position.js").Place} Place
 * @typedef {import("./request_tape.js").Entry} Entry
 * @typedef {Event & {type: "call_started"}} CallStarted
 * @typedef {{kind: "root" | "sub", calls: Array<{model: string | null, messages: Message[]}>}} Calls
 * @typedef {{asked: Calls | null, entry: Entry}} Group
 */

const STOPPED = "the call was stopped";

/**
 * The requests in their order; an answer is there as soon as the log holds it.
 * @param {Event[]} events
 * @param {{blocks: PastBlock[], children: Map<number, RunPast>}} known
 */
export function entriesOf(events, { blocks, children }) {
  const isLost = (/** @type {Place | null} */ place) => blocks.some((block) => block.lost && samePlace(block, place));
  /** @type {Group[]} */
  const groups = [];
  /** @type {Map<number, {group: Group, index: number}>} */
  const open = new Map();
  /** @type {Message[]} */
  let conversation = [];
  /** @type {Place | null} */
  let place = null;
  for (const [at, event] of events.entries()) {
    if (event.type === "block_started") place = event;
    else if (event.type === "block_finished") place = null;
    else if (event.type === "call_started" && !open.has(event.call)) {
      const started = /** @type {CallStarted[]} */ (events.slice(at, at + event.batch));
      const asked = callsOf(started, conversation);
      if (asked.kind === "root") conversation = asked.calls[0].messages;
      const { group, indexes } = groupOf(groups, asked, { place, isLost, number: event.call });
      started.forEach(({ call }, index) => open.set(call, { group, index: indexes[index] }));
    } else if (event.type === "call_finished") answer(open.get(event.call), event);
    else if (event.type === "request_started") groups.push({ asked: null, entry: requested(event, place, children) });
    else if (event.type === "tool_called") give(groups, event);
  }
  return groups.map(({ entry }) => entry);
}

// -------------------------------------------------------------------------------------------------------- model calls

/** @returns {Calls} */
function callsOf(/** @type {CallStarted[]} */ started, /** @type {Message[]} */ conversation) {
  return {
    kind: started[0].kind,
    calls: started.map(({ model, messages, kept }) => ({
      model,
      messages: [...conversation.slice(0, kept), ...messages],
    })),
  };
}

/**
 * The group that `asked` belongs to: one whose unanswered calls it asks again, or a new one. Asked again in another
 * block than before, it is that one's from then on.
 * @param {Group[]} groups
 * @param {Calls} asked
 * @param {{place: Place | null, isLost: (place: Place | null) => boolean, number: number}} where
 */
function groupOf(groups, asked, { place, isLost, number }) {
  const key = keyOf(asked);
  const found = groups.findLastIndex(
    (group, at) => (at === groups.length - 1 || isLost(group.entry.place)) && key === keyOf(unansweredOf(group)),
  );
  if (found !== -1) {
    const [group] = groups.splice(found, 1);
    group.entry.place = place;
    groups.push(group);
    return { group, indexes: [...group.entry.missing] };
  }
  const indexes = asked.calls.map((_, index) => index);
  const entry = openEntry((text) => keyIn(text) === key, { isRoot: asked.kind === "root", place, number });
  const group = { asked, entry: Object.assign(entry, { missing: [...indexes] }) };
  groups.push(group);
  return { group, indexes };
}

/** @returns {Calls | null} */
function unansweredOf(/** @type {Group} */ { asked, entry: { missing } }) {
  return asked === null || missing.length === 0
    ? null
    : { ...asked, calls: missing.map((index) => asked.calls[index]) };
}

function keyOf(/** @type {Calls | null} */ asked) {
  return (
    asked &&
    JSON.stringify([
      asked.kind,
      asked.calls.map(({ model, messages }) => [model, messages.map(({ role, content }) => [role, content])]),
    ])
  );
}

/** The same of a request's body; `null` for a request of another kind. */
function keyIn(/** @type {string} */ body) {
  return /^\{"op": ?"complete"/.test(body) ? keyOf(JSON.parse(body)) : null;
}

/**
 * @param {{group: Group, index: number} | undefined} asked
 * @param {Event & {type: "call_finished"}} event
 */
function answer(asked, { text, model, usage, finish_reason = null, error }) {
  if (asked === undefined || error === STOPPED) return;
  const outcome =
    text === null
      ? { error: toWireError(providerError(error ?? "")) }
      : { completion: { text, model, usage, finish_reason } };
  settle(asked.group.entry, asked.index, outcome);
}

/**
 * @param {Entry} entry
 * @param {number} index
 * @param {import("../wire/types.d.ts").Outcome} outcome
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
 * @param {Place | null} place
 * @param {Map<number, RunPast>} runs
 * @returns {Entry}
 */
function requested({ op, mark, name, children }, place, runs) {
  const entry = openEntry(sameText(mark), { place, children });
  entry.missing = op === "tool" ? [0] : children.map((_, index) => index);
  entry.tool = op === "tool" ? name : null;
  children.forEach((number, index) => {
    const ended = runs.get(number)?.ended;
    if (ended) settle(entry, index, toOutcome(ended, ended.stopped_by === "cancelled"));
  });
  return entry;
}

/**
 * What a function gave, to the last call of it that has no answer.
 * @param {Group[]} groups
 * @param {Event & {type: "tool_called"}} event
 */
function give(groups, { name, result, error }) {
  const called = groups.findLast(({ entry }) => entry.tool === name && entry.missing.length > 0);
  if (called === undefined) return;
  const { entry } = called;
  entry.missing = [];
  if (error === null) entry.frames.push(new TextEncoder().encode(JSON.stringify(result)));
  entry.end = error === null ? { ok: true, error: null } : { ok: false, error: rlmError("ToolError", error, {}) };
}
