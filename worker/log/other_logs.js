// @ts-check
// Other logs: a log of another system -> its events, by the form of its first object.
//
// In: the text of a log. Out: events, the system's name, and notes on parts that were left out; null for a text of no form
// that is known here.

import { drosteEvents, isDroste, readDroste } from "./droste_log.js";
import { dspyEntries, readDspy } from "./dspy_log.js";
import { isFastRlm, readFastRlm } from "./fast_rlm_log.js";
import { eventsOf, isObject, rowsOf } from "./shown_run.js";
import { jsonIn } from "../wire/json.js";

/**
 * @typedef {import("./shown_run.js").Row} Row
 * @typedef {import("./shown_run.js").ShownRun} ShownRun
 * @typedef {{system: string, events: import("../wire/protocol.js").Event[], notes: string[]}} OtherLog
 */

/**
 * Systems whose logs are lines: name, whether an object is of its log, and the reader.
 * @type {Array<[system: string, isOne: (row: Row) => boolean, read: (rows: Row[]) => {run: ShownRun, notes: string[]}]>}
 */
const IN_LINES = [
  ["fast-rlm", isFastRlm, readFastRlm],
  ["droste", isDroste, readDroste],
];

/**
 * @param {string} text
 * @returns {OtherLog | null}
 */
export function readOtherLog(text) {
  const value = jsonIn(text);
  const entries = dspyEntries(value);
  if (entries !== null) return { system: "dspy.RLM", events: eventsOf(readDspy(value, entries)), notes: [] };
  const recorded = drosteEvents(value);
  if (recorded !== null) return shown("droste", readDroste(recorded));
  const first = jsonIn(text.trimStart().split("\n", 1)[0]);
  const form = isObject(first) ? IN_LINES.find(([, isOne]) => isOne(first)) : undefined;
  if (form === undefined) return null;
  const [system, , read] = form;
  const { rows, notes } = rowsOf(text);
  return shown(system, read(rows), notes);
}

/**
 * @param {string} system
 * @param {{run: ShownRun, notes: string[]}} read
 * @param {string[]} [cut]
 * @returns {OtherLog}
 */
function shown(system, { run, notes }, cut = []) {
  return { system, events: eventsOf(run), notes: [...cut, ...notes] };
}
