// @ts-check
// Past: the log of a run that did not end -> what its next worker is answered and told.
//
// In: JSON lines as they were kept; the last may be cut off. Out: the requests with their answers, the blocks with their
// observations, and what was counted. Events of child runs are passed on; a child run itself is begun anew.

import { encodeFrame } from "./broker.js";
import { configError, providerError, toWireError } from "./errors.js";
import { isDeath } from "./deaths.js";
import { EVENT_SCHEMAS } from "./protocol.js";
import { openEntry } from "./replay.js";
import { mismatch } from "./schema.js";
import { added } from "./tree.js";

/**
 * @typedef {import("./protocol.js").Event} Event
 * @typedef {import("./protocol.js").Message} Message
 * @typedef {import("./protocol.js").PastBlock} PastBlock
 * @typedef {import("./protocol.js").RunResult} RunResult
 * @typedef {import("./replay.js").Entry} Entry
 * @typedef {import("./place.js").Place} Place
 * @typedef {Event & {type: "call_started"}} CallStarted
 * @typedef {{kind: "root" | "sub", calls: Array<{model: string | null, messages: Message[]}>}} Asked
 * @typedef {{asked: Asked, entry: Entry}} Group
 */

/**
 * @typedef {object} Past
 * @property {Event[]} events
 * @property {string[]} lines
 * @property {Entry[]} entries
 * @property {PastBlock[]} blocks
 * @property {number} told how many events of the worker's own there are
 * @property {number} rootCalls
 * @property {number} calls
 * @property {RunResult["usage"]} usage
 * @property {Place | null} open the block that ran when the log ends
 * @property {number} seconds
 * @property {string[]} notes what was left out
 * @property {number} resumed how often the run was continued in the block that is open
 */

export const CONTINUED = "the run is continued from its journal";
const WORKERS_OWN = ["run_started", "iteration_started", "iteration_finished", "block_started", "block_finished"];
const STOPPED = "the call was stopped";

/**
 * @param {string} log
 * @returns {Past}
 */
export const readPast = (log) => {
  const { events, lines, notes } = eventsOf(log);
  if (events[0]?.type !== "run_started") throw configError("the log does not begin with run_started: it is no whole run.");
  const own = events.filter(({ path }) => path.length === 0);
  const calls = events.filter(({ type }) => type === "call_started").length;
  const entries = entriesOf(own);
  return {
    events,
    lines,
    notes,
    entries,
    blocks: blocksOf(own),
    told: own.filter(({ type }) => WORKERS_OWN.includes(type)).length,
    rootCalls: entries.filter(({ isRoot }) => isRoot).length,
    calls,
    seconds: events[events.length - 1].seconds,
    resumed: resumedIn(own),
    open: openIn(own),
    usage: usageOf(events),
  };
};

/** The events up to the run's end or the last whole line, whichever comes first. */
const eventsOf = (/** @type {string} */ log) => {
  /** @type {Event[]} */
  const events = [];
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  for (const [index, line] of lines.entries()) {
    const event = eventIn(line);
    if (event === null) {
      const left = `line ${index + 1} of the log is damaged: it is read up to there, ${lines.length - index} lines are left out`;
      return { events, lines: lines.slice(0, index), notes: [left] };
    }
    if (event.type === "run_finished" && event.path.length === 0) return { events, lines: lines.slice(0, index), notes: [] };
    events.push(event);
  }
  return { events, lines, notes: [] };
};

/** @returns {Event | null} */
const eventIn = (/** @type {string} */ line) => {
  try {
    const { type, ...fields } = JSON.parse(line);
    const isKnown = typeof type === "string" && Object.hasOwn(EVENT_SCHEMAS, type);
    return isKnown && mismatch(EVENT_SCHEMAS[type], fields, type) === null ? { type, ...fields } : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
};

/** @returns {PastBlock[]} */
const blocksOf = (/** @type {Event[]} */ events) => {
  /** @type {Map<string, PastBlock>} */
  const blocks = new Map();
  for (const event of events) {
    if (event.type !== "block_finished") continue;
    const { iteration, block, observation } = event;
    blocks.set(`${iteration}.${block}`, { iteration, block, observation, lost: isDeath(observation) });
  }
  return [...blocks.values()];
};

/** @returns {RunResult["usage"]} */
const usageOf = (/** @type {Event[]} */ events) => {
  /** @type {RunResult["usage"]} */
  const usage = {};
  for (const event of events) {
    if (event.type !== "call_finished" || event.text === null) continue;
    const before = usage[event.model];
    usage[event.model] = before ? added(before, event.usage) : event.usage;
  }
  return usage;
};

/** @returns {Place | null} */
const openIn = (/** @type {Event[]} */ events) => {
  const last = events.findLast(({ type }) => type === "block_started" || type === "block_finished");
  return last?.type === "block_started" ? last : null;
};

const resumedIn = (/** @type {Event[]} */ events) => {
  const from = events.findLastIndex(({ type }) => type === "block_started" || type === "block_finished");
  if (events[from]?.type !== "block_started") return 0;
  return events.slice(from).filter((event) => event.type === "notice" && event.text.startsWith(CONTINUED)).length;
};

// ----------------------------------------------------------------------------------------------------------- requests

/** The requests in their order; an answer is there as soon as the log holds it. */
const entriesOf = (/** @type {Event[]} */ events) => {
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
      const asked = askedBy(started, conversation);
      if (asked.kind === "root") conversation = asked.calls[0].messages;
      const { group, indexes } = placeOf(groups, asked, place);
      started.forEach(({ call }, index) => open.set(call, { group, index: indexes[index] }));
    } else if (event.type === "call_finished") answer(open.get(event.call), event);
  }
  return groups.map(({ entry }) => entry);
};

/** @returns {Asked} */
const askedBy = (/** @type {CallStarted[]} */ started, /** @type {Message[]} */ conversation) => ({
  kind: started[0].kind,
  calls: started.map(({ model, messages, kept }) => ({ model, messages: [...conversation.slice(0, kept), ...messages] })),
});

/**
 * The group that `asked` belongs to: one whose unanswered calls it asks again, or a new one.
 * @param {Group[]} groups
 * @param {Asked} asked
 * @param {Place | null} place
 */
const placeOf = (groups, asked, place) => {
  const before = groups[groups.length - 1];
  const missing = before?.entry.missing ?? [];
  const unanswered = before && { ...before.asked, calls: missing.map((index) => before.asked.calls[index]) };
  if (missing.length > 0 && keyOf(asked) === keyOf(unanswered)) return { group: before, indexes: [...missing] };
  const indexes = asked.calls.map((_, index) => index);
  const key = keyOf(asked);
  const entry = openEntry((body) => keyIn(body) === key, { isRoot: asked.kind === "root", place, number: groups.length });
  const group = { asked, entry: Object.assign(entry, { missing: [...indexes] }) };
  groups.push(group);
  return { group, indexes };
};

const keyOf = (/** @type {Asked} */ { kind, calls }) =>
  JSON.stringify([kind, calls.map(({ model, messages }) => [model, messages.map(({ role, content }) => [role, content])])]);

/** The same of a request's body; `null` for a request of another kind. */
const keyIn = (/** @type {string} */ body) => {
  if (!/^\{"op": ?"complete"/.test(body)) return null;
  return keyOf(JSON.parse(body));
};

/**
 * @param {{group: Group, index: number} | undefined} asked
 * @param {Event & {type: "call_finished"}} event
 */
const answer = (asked, { text, model, usage, error }) => {
  if (asked === undefined || error === STOPPED) return;
  const { group: { entry }, index } = asked;
  if (!entry.missing.includes(index)) return;
  const outcome = text === null ? { error: toWireError(providerError(error ?? "")) } : { completion: { text, model, usage } };
  entry.frames.push(encodeFrame(index, outcome));
  entry.missing = entry.missing.filter((left) => left !== index);
  if (entry.missing.length === 0) entry.end = { ok: true, error: null };
};
