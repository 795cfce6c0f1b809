// @ts-check
// Past: the log of a run that did not end -> what its next worker is answered and told.
//
// In: JSON lines as they were kept; the last may be cut off. Out: for the root run and each of its child runs, the
// requests with their answers, the blocks with their observations, and what was counted.

import { entriesOf } from "./resumed_requests.js";
import { configError } from "../wire/errors.js";
import { isDeath } from "./crashes.js";
import { EVENT_SCHEMAS } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";
import { added } from "../wire/usage.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("./request_tape.js").Entry} Entry
 * @typedef {import("./position.js").Place} Place
 * @typedef {Event & {type: "run_finished"}} RunFinished
 */

/**
 * What is known of one run of the tree.
 * @typedef {object} RunPast
 * @property {Entry[]} entries
 * @property {PastBlock[]} blocks
 * @property {number} told how many events of the worker's own there are
 * @property {number} rootCalls
 * @property {Place | null} open the block that ran when the log ends
 * @property {number} deaths how often the tab was closed in the block that is open, while that was at work
 * @property {Array<Record<string, Json>> | null} contexts as the worker described them
 * @property {Map<number, RunPast>} children by their numbers, those that had begun
 * @property {number} nextChild
 * @property {RunFinished | null} ended
 */

/**
 * What is known of the whole tree, and of its root run.
 * @typedef {RunPast & {events: Event[], lines: string[], calls: number, seconds: number, notes: string[], subCalls: number,
 *   usage: Map<string, RunResult["usage"]>}} Past `notes` say what was left out; `usage` is by path, as "0.2"
 */

export const CONTINUED = "the run is continued from its journal";
const WORKERS_OWN = ["run_started", "iteration_started", "iteration_finished", "block_started", "block_finished"];

/**
 * @param {string} log
 * @returns {Past}
 */
export function readPast(log) {
  const { events, lines, notes, ending } = eventsOf(log);
  if (events[0]?.type !== "run_started")
    throw configError("the log does not begin with run_started: it is no whole run.");
  const calls = events.filter(({ type }) => type === "call_started").length;
  const { seconds } = events[events.length - 1];
  return {
    ...runPast(events, byPath(events.filter(isOwnEnd(ending))), []),
    events,
    lines,
    notes,
    calls,
    seconds,
    ...spentIn(events),
  };
}

/**
 * @param {Event[]} events of the whole tree
 * @param {Map<string, Event[]>} runs
 * @param {number[]} path
 * @returns {RunPast}
 */
function runPast(events, runs, path) {
  const own = runs.get(path.join(".")) ?? [];
  const children = new Map(
    numbersBelow(runs, path).map((number) => [number, runPast(events, runs, [...path, number])]),
  );
  const blocks = blocksOf(own);
  const entries = entriesOf(own, { blocks, children });
  const open = openIn(own);
  const isWaiting = entries.some(({ place, missing }) => place === open && missing.length > 0);
  const started = own.find((event) => event.type === "run_started");
  return {
    entries,
    blocks,
    children,
    open,
    told: own.filter(({ type }) => WORKERS_OWN.includes(type)).length,
    rootCalls: entries.filter(({ isRoot }) => isRoot).length,
    deaths: open === null || isWaiting ? 0 : 1 + continuedSince(events, open),
    contexts: started?.type === "run_started" ? started.contexts : null,
    nextChild: Math.max(
      0,
      ...own.flatMap((event) => (event.type === "request_started" ? event.children : [])).map((number) => number + 1),
    ),
    ended: /** @type {RunFinished | undefined} */ (own.findLast(({ type }) => type === "run_finished")) ?? null,
  };
}

/**
 * All but the ends of child runs that were stopped with the whole tree: those go on with it. One that was stopped alone
 * has its end.
 */
function isOwnEnd(/** @type {RunFinished | null} */ ending) {
  return (/** @type {Event} */ event) =>
    ending === null || event.type !== "run_finished" || event.stopped_by !== "cancelled";
}

function byPath(/** @type {Event[]} */ events) {
  /** @type {Map<string, Event[]>} */
  const runs = new Map();
  for (const event of events) {
    const path = event.path.join(".");
    const own = runs.get(path);
    if (own) own.push(event);
    else runs.set(path, [event]);
  }
  return runs;
}

/** The numbers of the child runs of the run at `path`. */
function numbersBelow(/** @type {Map<string, Event[]>} */ runs, /** @type {number[]} */ path) {
  const paths = [...runs.values()].map(([event]) => event.path);
  const below = paths.filter(
    (other) => other.length === path.length + 1 && path.every((part, at) => other[at] === part),
  );
  return below.map((other) => other[path.length]);
}

/** The events up to the run's end or the last whole line, whichever comes first. */
function eventsOf(/** @type {string} */ log) {
  /** @type {Event[]} */
  const events = [];
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  for (const [index, line] of lines.entries()) {
    const event = eventIn(line);
    if (event === null) {
      const left = `line ${index + 1} of the log is damaged: it is read up to there, ${lines.length - index} lines are left out`;
      return { events, lines: lines.slice(0, index), notes: [left], ending: null };
    }
    if (event.type === "run_finished" && event.path.length === 0)
      return { events, lines: lines.slice(0, index), notes: [], ending: event };
    events.push(event);
  }
  return { events, lines, notes: [], ending: null };
}

/** @returns {Event | null} */
function eventIn(/** @type {string} */ line) {
  try {
    const { type, ...fields } = JSON.parse(line);
    const isKnown = typeof type === "string" && Object.hasOwn(EVENT_SCHEMAS, type);
    return isKnown && mismatch(EVENT_SCHEMAS[type], fields, type) === null ? { type, ...fields } : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

/** @returns {PastBlock[]} */
function blocksOf(/** @type {Event[]} */ events) {
  /** @type {Map<string, PastBlock>} */
  const blocks = new Map();
  for (const event of events) {
    if (event.type !== "block_finished") continue;
    const { iteration, block, observation } = event;
    blocks.set(`${iteration}.${block}`, { iteration, block, observation, lost: isDeath(observation) });
  }
  return [...blocks.values()];
}

/** What the calls of the log used, by the path of the run that made them, and how many were sub-calls. */
function spentIn(/** @type {Event[]} */ events) {
  /** @type {Map<string, RunResult["usage"]>} */
  const usage = new Map();
  /** @type {Set<number>} */
  const subs = new Set();
  let subCalls = 0;
  for (const event of events) {
    if (event.type === "call_started" && event.kind === "sub") subs.add(event.call);
    if (event.type !== "call_finished" || event.text === null) continue;
    if (subs.has(event.call)) subCalls += 1;
    const path = event.path.join(".");
    const own = usage.get(path) ?? {};
    const before = own[event.model];
    usage.set(path, { ...own, [event.model]: before ? added(before, event.usage) : event.usage });
  }
  return { usage, subCalls };
}

/** @returns {Event & {type: "block_started"} | null} */
function openIn(/** @type {Event[]} */ own) {
  const last = own.findLast(({ type }) => type === "block_started" || type === "block_finished");
  return last?.type === "block_started" ? last : null;
}

/** How often the run was continued since the block began, and since anything in the tree was answered. */
function continuedSince(/** @type {Event[]} */ events, /** @type {Event} */ block) {
  const from = events.findLastIndex(
    (event) => event === block || event.type === "call_finished" || event.type === "tool_called",
  );
  return events.slice(from).filter((event) => event.type === "notice" && event.text.startsWith(CONTINUED)).length;
}
