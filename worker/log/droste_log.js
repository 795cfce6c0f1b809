// @ts-check
// Traces of droste: its events as lines, or in the run record of a result as JSON.
//
// In: the events as objects. Out: the root run, and notes on events that were left out. An event names its run and the run
// above it. Replies, code and output are there where the trace's retention keeps them; prompts and models are not.

import { fenced, isObject, milliseconds, newBlock, newIteration, newRun } from "./shown_run.js";
import { ONE_CALL, stringOf, textOf, unknownTypes } from "./shown_run.js";

/**
 * @typedef {import("./shown_run.js").Row} Row
 * @typedef {import("./shown_run.js").ShownRun} ShownRun
 * @typedef {{run: ShownRun, draft: string | null, at: number}} Traced a run as it is read
 */

/** Types that tell nothing more of a run than the others. */
const LEFT_OUT = [
  ...["startup", "progress", "iteration_start", "reasoning_delta", "heartbeat", "repair", "extract", "replay"],
  ...["usage_progress", "usage", "budget", "policy", "capability"],
];
const MOST_CALLS = 1_000;

/** @param {Row} row whether it is an event of such a trace */
export function isDroste(row) {
  return typeof row.type === "string" && typeof row.run_id === "string" && "persistence_class" in row;
}

/**
 * The events of a run record, or of a result with one; null for any other JSON value.
 * @param {unknown} value
 * @returns {Row[] | null}
 */
export function drosteEvents(value) {
  const record = isObject(value) ? (value.run_record ?? value) : null;
  const events = isObject(record) ? record.events : null;
  return Array.isArray(events) && events.every((row) => isObject(row) && isDroste(row)) ? events : null;
}

/**
 * @param {Row[]} rows
 * @returns {{run: ShownRun, notes: string[]}}
 */
export function readDroste(rows) {
  /** @type {Map<unknown, Traced>} */
  const runs = new Map();
  /** @type {string[]} */
  const unknown = [];
  for (const row of rows) if (!isDroste(row) || !take(tracedOf(runs, row), row)) unknown.push(String(row.type));
  for (const { run, draft } of runs.values()) run.answer ??= draft;
  const [root] = runs.values();
  return { run: root?.run ?? newRun(), notes: unknownTypes(unknown) };
}

/**
 * @param {Map<unknown, Traced>} runs
 * @param {Row} row
 * @returns {Traced}
 */
function tracedOf(runs, row) {
  const known = runs.get(row.run_id);
  if (known) return known;
  const traced = { run: newRun(), draft: null, at: milliseconds(row.timestamp) };
  const parent = runs.get(row.parent_run_id);
  if (parent) blockOf(parent.run).children.push(traced.run);
  runs.set(row.run_id, traced); // only now: no run is its own child
  return traced;
}

/** By type of event. @type {Record<string, (traced: Traced, row: Row) => void>} */
const TAKE = {
  llm_response: ({ run }, row) => void run.iterations.push(newIteration(stringOf(row.response))),
  code({ run: { iterations } }, row) {
    const code = stringOf(row.code);
    if ((iterations.at(-1)?.blocks.length ?? 1) > 0) iterations.push(newIteration(fenced(code), { usage: null }));
    iterations.at(-1)?.blocks.push(newBlock(code));
  },
  output: ({ run }, row) => void (blockOf(run).stdout = stringOf(row.stdout)),
  execution_error: ({ run }, row) => void (blockOf(run).error = `${row.error_type}: ${row.message}`),
  subcall({ run }, row) {
    if (row.phase !== "completion" && row.phase !== "error") return;
    const isFailed = row.phase === "error" || (row.error ?? null) !== null;
    const count = Number(row.batch_count);
    const calls = Number.isInteger(count) && count > 0 && count <= MOST_CALLS ? count : 1;
    blockOf(run).calls.push(...Array(calls).fill(isFailed ? null : ONE_CALL));
  },
  checkpoint: (traced, row) => void (traced.draft = stringOf(row.draft) || traced.draft),
  result({ run }, { result }) {
    if (isObject(result) && (result.answer ?? null) !== null) run.answer = textOf(result.answer);
  },
  done({ run }, row) {
    if (row.extracted) {
      const detail = "The iterations ran out, and the answer was extracted.";
      Object.assign(run, { stoppedBy: "max_iterations", detail });
    } else if (isObject(row.error)) {
      Object.assign(run, { stoppedBy: "provider_error", detail: stringOf(row.error.message || row.error.type) });
    } else if (!row.ready) run.stoppedBy = "max_iterations";
  },
};

/**
 * Take an event; whether its type is known.
 * @param {Traced} traced
 * @param {Row} row
 */
function take(traced, row) {
  const type = String(row.type);
  if (Object.hasOwn(TAKE, type)) TAKE[type](traced, row);
  else if (!LEFT_OUT.includes(type)) return false;
  const iteration = traced.run.iterations.at(-1);
  if (iteration) {
    const at = milliseconds(row.timestamp);
    iteration.seconds += Math.max(0, at - traced.at) / 1_000;
    traced.at = at;
  }
  return true;
}

/**
 * The block that runs; of a trace that keeps no code, an empty one.
 * @param {ShownRun} run
 */
function blockOf({ iterations }) {
  if (iterations.length === 0) iterations.push(newIteration("", { usage: null }));
  const { blocks } = iterations[iterations.length - 1];
  if (blocks.length === 0) blocks.push(newBlock(""));
  return blocks[blocks.length - 1];
}
