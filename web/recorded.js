// @ts-check
/**
 * A recorded run, played on the page. In: the text of a trajectory. Out: a `RunView` that grows by its events, in at most
 * a few seconds or step by step. Nothing runs here and nothing is sent: it needs no server, no model and no worker.
 */

import { atOnce, checksOf, eventsIn } from "/rlm/log/number_check.js";
import { readOtherLog } from "/rlm/log/other_logs.js";
import { evidenceOf } from "/rlm/rlm.js";
import { readTrajectory } from "/rlm/log/trajectory.js";
import { readDestination } from "/rlm/wire/destination.js";
import { jsonIn } from "/rlm/wire/json.js";
import { tokensOf } from "/rlm/wire/image_facts.js";
import { spend } from "/rlm/wire/usage.js";
import { applyEvent, finishRun, newRun } from "./run.js";
import { changed, state } from "./state.js";

/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").Recorded} Recorded */
/** @typedef {import("./types/run.js").EventOf<"run_started">} RunStarted */

const PLAY_MS = 3_000;
const TICK_MS = 50;
const NO_QUESTION = "(a question that the log does not hold)";
const SLOWEST_PER_TICK = 1 / 4; // of an event: a short run is not stretched to the full time

/**
 * Show the run that `log` tells of, from its beginning, and play it.
 *
 * @param {string} log
 * @param {{name: string, changed: Date | null, isKept?: boolean, isFollowUp?: boolean, conversation?: string | null}} file a kept run is shown whole at once
 * @throws {Error} a ConfigError that names the line which is no event
 */
export function playRecording(log, { name, changed: date, isKept = false, isFollowUp = false, conversation = null }) {
  const { system, events, notes, text } = readLog(log);
  const before = state.run?.recorded ? state.run.recorded.before : state.run;
  const file = { name, changed: date, isKept, isFollowUp, conversation, system };
  const recorded = { ...file, before, log: text, notes, events, at: 0, isPlaying: false };
  show(recorded);
  if (isKept || matchMedia("(prefers-reduced-motion: reduce)").matches) playToEnd(recorded);
  else play(recorded);
}

/**
 * A trajectory, or a log of another system as one.
 * @param {string} log
 */
function readLog(log) {
  const other = readOtherLog(log);
  if (other === null) return { system: null, ...readTrajectory(log), text: log };
  const { system, events, notes } = other;
  const from = `This is a log of ${system}, shown as far as it goes. It holds no question and no prompts.`;
  const text = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  return { system, events, notes: [from, ...notes], text };
}

/** Go on by itself, until it ends or is paused. @param {Recorded} recorded */
export function play(recorded) {
  if (isOver(recorded)) show(recorded);
  recorded.isPlaying = true;
  let due = 0;
  const perTick = Math.max(SLOWEST_PER_TICK, (recorded.events.length * TICK_MS) / PLAY_MS);
  const timer = setInterval(() => {
    if (!recorded.isPlaying || state.run?.recorded !== recorded) return clearInterval(timer);
    due += perTick;
    for (; due >= 1; due -= 1) next(recorded);
    if (isOver(recorded)) clearInterval(timer);
  }, TICK_MS);
  changed();
}

/** @param {Recorded} recorded */
export function pause(recorded) {
  recorded.isPlaying = false;
  changed();
}

/** To the end of the root run's next iteration. @param {Recorded} recorded */
export function step(recorded) {
  recorded.isPlaying = false;
  while (!isOver(recorded)) {
    const event = next(recorded);
    if (event?.type === "iteration_finished" && event.path.length === 0) break;
  }
  changed();
}

/** @param {Recorded} recorded */
export function playToEnd(recorded) {
  while (!isOver(recorded)) next(recorded);
  changed();
}

/** @param {Recorded} recorded */
export function isOver(recorded) {
  return recorded.at === recorded.events.length;
}

/** Begin anew. @param {Recorded} recorded */
function show(recorded) {
  state.run = begun(recorded);
  changed();
}

/** @param {Recorded} recorded @returns {RunView} before its first event */
function begun(recorded) {
  const started = /** @type {RunStarted} */ (recorded.events[0]);
  const run = newRun(started.question || NO_QUESTION, null, askedOf(started));
  recorded.at = 0;
  run.recorded = recorded;
  run.notices.push(...recorded.notes.map((text) => ({ text, code: null })));
  return run;
}

/** @param {Recorded} recorded @returns {RunEvent | undefined} the event that was shown */
function next(recorded) {
  const { run } = state;
  if (run?.recorded !== recorded || isOver(recorded)) return undefined;
  changed();
  return advance(run, recorded);
}

/** @param {RunView} run @param {Recorded} recorded */
function advance(run, recorded) {
  const event = /** @type {RunEvent} */ (recorded.events[recorded.at]);
  recorded.at += 1;
  applyEvent(run, event);
  run.totalSeconds = event.seconds;
  if (isOver(recorded)) end(run, recorded);
  return event;
}

/**
 * The whole run that `log` tells of, not shown.
 *
 * @param {string} log
 * @throws {Error} a ConfigError that names the line which is no event
 */
export function wholeRun(log) {
  const file = { name: "", changed: null, isKept: true, isFollowUp: false, conversation: null, before: null };
  const { system, events, notes, text } = readLog(log);
  const recorded = { ...file, system, notes, events, log: text, at: 0, isPlaying: false };
  const run = begun(recorded);
  while (!isOver(recorded)) advance(run, recorded);
  return run;
}

/** @param {RunView} run @param {Recorded} recorded */
function end(run, recorded) {
  const seconds = run.totalSeconds;
  const ending = recorded.events.find((event) => event.type === "run_finished" && event.path.length === 0);
  recorded.isPlaying = false;
  finishRun(
    run,
    ending?.type === "run_finished"
      ? { result: { ...resultOf(ending, recorded), egress: egressOf(run) }, problem: null }
      : { problem: CUT_OFF },
  );
  run.totalSeconds = seconds;
}

/** @type {import("./types/run.js").Problem} */
const CUT_OFF = {
  title: "The recording ends here.",
  cause: "The log has no ending: its run was cut off, or was still under way when the log was copied.",
  action: "With “pyodide-rlm run --resume” it can go on.",
};

/**
 * @param {import("./types/run.js").EventOf<"run_finished">} ending
 * @param {Recorded} recorded
 * @returns {Omit<import("./types/run.js").RLMResult, "egress">}
 */
function resultOf({ answer, iterations, seconds, usage, stopped_by, detail, value, evidence }, { log, events }) {
  const totalTime = Math.round(seconds * 1000);
  const checked = {
    value: value === null ? null : /** @type {import("/rlm/wire/protocol.js").Json} */ (jsonIn(value) ?? null),
    valueJson: value,
    evidence: evidence.map(evidenceOf),
    checks: atOnce(checksOf({ answer, evidence }, () => eventsIn(log))),
  };
  const ended = { answer, ...checked, iterations, totalTime, stoppedBy: stopped_by, detail, fault: null };
  const parts = { usageFromRecord: storedIn(events), usageOfCompaction: compactionIn(events) };
  return { ...ended, usage, usageByPath: {}, ...parts, trajectory: () => log };
}

/** Usage of the replies that the server had kept for the recorded run. @param {Recorded["events"]} events */
function storedIn(events) {
  return sumOf(events, (event) => event.from_store);
}

/** @param {Recorded["events"]} events */
function compactionIn(events) {
  const starts = events.filter((event) => event.type === "call_started" && event.kind === "compaction");
  const calls = new Set(starts.map((event) => ("call" in event ? event.call : null)));
  return sumOf(events, ({ call }) => calls.has(call));
}

/**
 * @param {Recorded["events"]} events
 * @param {(event: import("./types/run.js").EventOf<"call_finished">) => boolean} isMeant
 */
function sumOf(events, isMeant) {
  /** @type {import("./types/run.js").RLMResult["usage"]} */
  const usage = {};
  for (const event of events)
    if (event.type === "call_finished" && isMeant(event)) spend(usage, event.model, event.usage);
  return usage;
}

/** Sums of the egress events in the log. @param {RunView} run @returns {import("./types/run.js").RLMResult["egress"]} */
function egressOf({ egress: { calls, denied, unused, bytes, left, of }, calls: views }) {
  const sent = calls.filter((call) => call.denied === null);
  const chars = sent.reduce((sum, call) => sum + call.chars, 0);
  const sums = { calls: sent.length, denied, unused, bytes, chars, contextChars: left, contextSize: of };
  const destinations = destinationsOf(sent, views);
  return { ...sums, ...imagesOf(sent, views), destinations, share: of === 0 ? null : left / of, unsearched: [] };
}

/**
 * @param {import("./types/run.js").EgressCall[]} sent
 * @param {RunView["calls"]} views
 */
function imagesOf(sent, views) {
  const images = sent.flatMap(({ call }) => views.get(call)?.images ?? []);
  const imageBytes = images.reduce((sum, image) => sum + image.bytes, 0);
  return { images: images.length, imageBytes, imageTokens: images.reduce((sum, image) => sum + tokensOf(image), 0) };
}

/**
 * @param {import("./types/run.js").EgressCall[]} sent
 * @param {RunView["calls"]} views
 */
function destinationsOf(sent, views) {
  return [...new Set(sent.map(({ to }) => to))].map((to) => {
    const calls = sent.filter((call) => call.to === to);
    const sum = (/** @type {"bytes" | "chars" | "new_chars"} */ size) =>
      calls.reduce((total, call) => total + call[size], 0);
    const sums = { calls: calls.length, bytes: sum("bytes"), chars: sum("chars"), contextChars: sum("new_chars") };
    return { ...readDestination(to), ...sums, ...imagesOf(calls, views) };
  });
}

/** @param {RunStarted} started */
function askedOf({ contexts }) {
  return contexts.length === 0
    ? "of a context that the log does not describe"
    : `of ${contexts.map(({ name }) => name).join(", ")}`;
}
