// @ts-check
// Resume: the log of a run that did not end -> the state that its next worker starts from.
//
// In: JSON lines as they were kept; the last may be cut off. Out: for the root run and each of its child runs, the
// requests with their answers, the blocks with their observations, and the counts of both.

import { openReader } from "../log/trajectory.js";
import { configError } from "../wire/errors.js";
import { UNNAMED, spend } from "../wire/usage.js";
import { entriesOf } from "./resumed_requests.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {import("./recorded_request.js").Entry} Entry
 * @typedef {import("../wire/protocol.js").RunFinished} RunFinished
 * @typedef {import("./types.d.ts").ResumedLog} ResumedLog
 * @typedef {import("./types.d.ts").ResumedRun} ResumedRun
 */

const WORKERS_OWN = ["run_started", "iteration_started", "iteration_finished", "block_started", "block_finished"];

/**
 * @param {string} log
 * @returns {ResumedLog}
 */
export function readResumed(log) {
  const { events, lines, notes, ending } = eventsOf(log);
  if (events[0]?.type !== "run_started")
    throw configError("the log does not begin with run_started: it is no whole run.");
  const calls = events.filter(({ type }) => type === "call_started").length;
  const { seconds } = events[events.length - 1];
  const { run } = events[0];
  const root = resumedRun(events, byPath(events.filter(isOwnEnd(ending))), []);
  return { ...root, run, ending, events, lines, notes, calls, seconds, ...spentIn(events) };
}

/**
 * @param {Event[]} events of the whole tree
 * @param {Map<string, Event[]>} runs
 * @param {number[]} path
 * @returns {ResumedRun}
 */
function resumedRun(events, runs, path) {
  const own = runs.get(path.join(".")) ?? [];
  const numbers = numbersBelow(runs, path);
  const children = new Map(numbers.map((number) => [number, resumedRun(events, runs, [...path, number])]));
  const blocks = blocksOf(own);
  const entries = entriesOf(own, { blocks, children });
  const open = openIn(own);
  const isWaiting = entries.some(({ position, missing }) => position === open && missing.length > 0);
  return {
    entries,
    blocks,
    children,
    open,
    workerEvents: own.filter(({ type }) => WORKERS_OWN.includes(type)).length,
    rootCalls: entries.filter(({ isRoot }) => isRoot).length,
    crashes: open === null || isWaiting ? 0 : 1 + resumedSince(events, open),
    contexts: own.find((event) => event.type === "run_started")?.contexts ?? null,
    nextChild: 1 + Math.max(-1, ...own.flatMap((event) => (event.type === "request_started" ? event.children : []))),
    ended: own.findLast((event) => event.type === "run_finished") ?? null,
  };
}

/**
 * All but the ends of child runs that were stopped with the whole tree: those continue with it. One that was stopped
 * alone has its end.
 * @param {RunFinished | null} ending
 */
function isOwnEnd(ending) {
  return (/** @type {Event} */ event) =>
    ending === null || event.type !== "run_finished" || event.stopped_by !== "cancelled";
}

/** @param {Event[]} events */
function byPath(events) {
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

/**
 * The numbers of the child runs of the run at `path`.
 * @param {Map<string, Event[]>} runs
 * @param {number[]} path
 */
function numbersBelow(runs, path) {
  const paths = [...runs.values()].map(([event]) => event.path);
  const below = paths.filter(
    (other) => other.length === path.length + 1 && path.every((part, at) => other[at] === part),
  );
  return below.map((other) => other[path.length]);
}

/**
 * The events up to the run's end or the last whole line, whichever comes first.
 * @param {string} log
 */
function eventsOf(log) {
  const reader = openReader();
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  for (const [index, line] of lines.entries()) {
    const { event, wrong } = reader.read(line);
    const isEnd = event?.type === "run_finished" && event.path.length === 0;
    if (wrong === null && !isEnd) continue;
    const notes = reader.notes();
    if (wrong !== null) notes.push(damaged(index + 1, lines.length - index));
    return {
      events: isEnd ? reader.events.slice(0, -1) : reader.events,
      lines: lines.slice(0, index),
      notes,
      ending: isEnd ? event : null,
    };
  }
  return { events: reader.events, lines, notes: reader.notes(), ending: null };
}

/**
 * @param {number} line
 * @param {number} left
 */
function damaged(line, left) {
  return `line ${line} of the log is damaged: it is read up to there, ${left} lines are left out`;
}

/**
 * @param {Event[]} events
 * @returns {PastBlock[]}
 */
function blocksOf(events) {
  /** @type {Map<string, PastBlock>} */
  const blocks = new Map();
  for (const event of events) {
    if (event.type !== "block_finished") continue;
    const { iteration, block, observation, lost } = event;
    blocks.set(`${iteration}.${block}`, { iteration, block, observation, lost });
  }
  return [...blocks.values()];
}

/**
 * Usage of the log's calls, by the path of the run that made them, and the number of sub-calls.
 * @param {Event[]} events
 */
function spentIn(events) {
  /** @type {Map<string, Usage>} */
  const usage = new Map();
  /** @type {Map<number, {kind: string, model: string | null}>} */
  const started = new Map();
  /** @type {Map<string, Usage>} */
  const answered = new Map();
  let subCalls = 0;
  for (const event of events) {
    if (event.type === "call_started") started.set(event.call, event);
    if (event.type !== "call_finished" || (event.text === null && event.usage.calls === 0)) continue;
    const { kind, model } = started.get(event.call) ?? { kind: "root", model: null };
    if (event.text !== null && kind === "sub") subCalls += 1;
    const name = event.text === null ? (model ?? UNNAMED) : event.model;
    for (const sums of event.text === null ? [usage] : [usage, answered]) {
      const path = event.path.join(".");
      const own = sums.get(path) ?? {};
      spend(own, name, event.usage);
      sums.set(path, own);
    }
  }
  return { usage, answered, subCalls };
}

/**
 * @param {Event[]} own
 * @returns {Event & {type: "block_started"} | null}
 */
function openIn(own) {
  const last = own.findLast(({ type }) => type === "block_started" || type === "block_finished");
  return last?.type === "block_started" ? last : null;
}

/**
 * How often the run was resumed since the block began, and since anything in the tree was answered.
 * @param {Event[]} events
 * @param {Event} block
 */
function resumedSince(events, block) {
  const from = events.findLastIndex(
    (event) => event === block || event.type === "call_finished" || event.type === "tool_called",
  );
  return events.slice(from).filter((event) => event.type === "notice" && event.code === "continued").length;
}
