// @ts-check
// Shown run: a run of another system, as far as its log tells, and its events.
//
// In: iterations with code, output, calls and child runs, from a reader of one format. Out: the events of a trajectory of
// ours. No format holds all of it: prompts, models and limits that a log lacks are left empty.
//
// server/rlm_server/command/other_logs/shown_run.py is the same for the command; both make the events in
// tests/golden/foreign.

import { configError } from "../wire/errors.js";
import { jsonIn } from "../wire/json.js";
import { LATER_OF_RUN } from "./older_logs.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").ModelUsage} ModelUsage
 * @typedef {import("../wire/types.d.ts").Unstamped} Unstamped
 * @typedef {Record<string, unknown>} Row
 */

/**
 * A code block; `calls` holds the usage of each sub-call, null for one that failed.
 * @typedef {{code: string, stdout: string, error: string | null, calls: (ModelUsage | null)[], children: ShownRun[]}} ShownBlock
 */

/**
 * A reply with its blocks. `usage` is that of its call, null where no model wrote it; `seconds` is its duration.
 * @typedef {{reply: string, blocks: ShownBlock[], usage: ModelUsage | null, seconds: number}} ShownIteration
 */

/**
 * A run; an answer of null is one that the log does not hold.
 * @typedef {{iterations: ShownIteration[], answer: string | null, stoppedBy: StoppedBy | null, detail: string}} ShownRun
 * @typedef {(Event & {type: "run_finished"})["stopped_by"]} StoppedBy
 */

const FENCE = "```";
const SHOWN_NAMES = 5;
const NO_CONTENT = "the call failed; the log does not say why.";
export const ONE_CALL = { calls: 1, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };
const NO_CALL = { ...ONE_CALL, calls: 0 };

/** @param {Partial<ShownRun>} [run] @returns {ShownRun} */
export function newRun(run = {}) {
  return { iterations: [], answer: null, stoppedBy: null, detail: "", ...run };
}

/**
 * @param {string} reply
 * @param {Partial<ShownIteration>} [iteration]
 * @returns {ShownIteration}
 */
export function newIteration(reply, iteration = {}) {
  return { reply, blocks: [], usage: ONE_CALL, seconds: 0, ...iteration };
}

/**
 * @param {string} code
 * @param {Partial<ShownBlock>} [block]
 * @returns {ShownBlock}
 */
export function newBlock(code, block = {}) {
  return { code, stdout: "", error: null, calls: [], children: [], ...block };
}

/**
 * The events of `run` and the runs below it, numbered.
 * @param {ShownRun} run
 * @returns {Event[]}
 */
export function eventsOf(run) {
  /** @type {Event[]} */
  const events = [];
  let calls = 0;
  let seconds = 0;

  write(run, []);
  return events;

  /**
   * @param {number[]} path
   * @param {Unstamped} event
   */
  function emit(path, { type, ...fields }) {
    events.push(/** @type {Event} */ ({ type, seq: events.length, path, seconds, ...fields }));
  }

  /**
   * @param {ShownRun} shown
   * @param {number[]} path
   */
  function write({ iterations, answer, stoppedBy, detail }, path) {
    emit(path, {
      type: "run_started",
      question: "",
      model: null,
      sub_model: null,
      limits: {},
      contexts: [],
      ...LATER_OF_RUN,
    });
    let children = 0;
    for (const [index, { reply, blocks, usage, seconds: duration }] of iterations.entries()) {
      const iteration = index + 1;
      emit(path, { type: "iteration_started", iteration });
      const ends = seconds + duration;
      if (usage !== null) call(path, "root", reply, usage);
      for (const [block, shown] of blocks.entries()) {
        const { code, stdout, error } = shown;
        emit(path, { type: "block_started", iteration, block, code });
        for (const used of shown.calls) call(path, "sub", used === null ? null : "", used ?? NO_CALL);
        for (const child of shown.children) write(child, [...path, children++]);
        const observation = { stdout, stdout_chars: [...stdout].length, value: null, error, seconds: 0, shown: null };
        emit(path, {
          type: "block_finished",
          iteration,
          block,
          observation,
          partial: null,
          lost: false,
          stopped: null,
        });
      }
      seconds = Math.round(Math.max(seconds, ends) * 1_000) / 1_000;
      emit(path, { type: "iteration_finished", iteration, reply, blocks: blocks.length });
    }
    const how = stoppedBy ?? (answer === null ? "max_iterations" : "final_answer");
    const ending = { answer: answer ?? "", iterations: iterations.length, stopped_by: how, detail, usage: {} };
    emit(path, { type: "run_finished", ...ending, value: null, evidence: [] });
  }

  /**
   * @param {number[]} path
   * @param {"root" | "sub"} kind
   * @param {string | null} text
   * @param {ModelUsage} usage
   */
  function call(path, kind, text, usage) {
    const number = calls++;
    emit(path, {
      type: "call_started",
      call: number,
      kind,
      model: null,
      messages: [],
      kept: 0,
      batch: 1,
      options: {},
      images: [],
      ahead: null,
    });
    const error = text === null ? NO_CONTENT : null;
    const facts = { stopped: null, finish_reason: null, reasoning: "", from_store: false };
    emit(path, { type: "call_finished", call: number, model: "", text, error, usage, ...facts });
  }
}

// ----------------------------------------------------------------------------------------------- means of the readers

/**
 * A reply with `code`, as a model of ours writes it.
 * @param {string} code
 * @param {string} [reasoning]
 */
export function fenced(code, reasoning = "") {
  return [reasoning.trim(), `${FENCE}repl\n${code.trim()}\n${FENCE}`].filter((part) => part !== "").join("\n\n");
}

/**
 * A final answer as text: text as it is, any other value as JSON.
 * @param {unknown} value
 */
export function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

/**
 * A field as text: empty where there is none.
 * @param {unknown} value
 */
export function stringOf(value) {
  return value === null || value === undefined || value === false ? "" : String(value);
}

/**
 * @param {unknown} value
 * @returns {value is Row}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The objects of a log in lines, and a note where the last line was cut off.
 * @param {string} text
 * @returns {{rows: Row[], notes: string[]}}
 */
export function rowsOf(text) {
  const lines = [...text.split("\n").entries()].filter(([, line]) => line.trim() !== "");
  /** @type {Row[]} */
  const rows = [];
  for (const [position, [index, line]] of lines.entries()) {
    const value = jsonIn(line);
    if (value === undefined && rows.length > 0 && position === lines.length - 1)
      return { rows, notes: [`line ${index + 1}, the last, was cut off and is left out.`] };
    if (!isObject(value)) throw configError(`line ${index + 1}: ${value === undefined ? "not JSON" : "no object"}.`);
    rows.push(value);
  }
  return { rows, notes: [] };
}

/**
 * A note on lines of unknown types, with their number.
 * @param {string[]} types
 */
export function unknownTypes(types) {
  if (types.length === 0) return [];
  const names = [...new Set(types)];
  const shown = names.slice(0, SHOWN_NAMES).join(", ") + (names.length > SHOWN_NAMES ? ", …" : "");
  return [`${types.length} line${types.length === 1 ? "" : "s"} of an unknown type left out (${shown})`];
}

/**
 * The time in a field, whole milliseconds; 0 where there is none.
 * @param {unknown} time
 */
export function milliseconds(time) {
  const then = Date.parse(String(time));
  return Number.isNaN(then) ? 0 : then;
}

/**
 * The usage of one call, with the names that the format has for its tokens.
 * @param {unknown} used
 * @param {{input: string, output: string}} names
 * @returns {ModelUsage}
 */
export function usageOf(used, { input, output }) {
  const counts = isObject(used) ? used : {};
  return { ...ONE_CALL, input_tokens: whole(counts[input]), output_tokens: whole(counts[output]) };
}

/** @param {unknown} value */
function whole(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
