// @ts-check
// Trajectory: the JSON lines of a log -> its events, checked, for whoever resumes, replays or shows it.
//
// In: text, of this version, an earlier or a later one. Out: events and notes on the lines and fields that were left out,
// or a ConfigError that names the line. As in rlm_core/trajectory.py: a last line that was cut off, events of an unknown
// type and unknown fields are left out and counted; any other line that is no event is an error.

import { configError } from "../wire/errors.js";
import { EVENT_SCHEMAS } from "../wire/protocol.js";
import { mismatch, picked, unknownFields } from "../wire/schema.js";
import { upgraded } from "./older_logs.js";
import { jsonIn } from "../wire/json.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("./older_logs.js").Fields} Fields
 * @typedef {{events: Event[], notes: string[]}} Trajectory
 */

const SHOWN_CHARS = 40;
const SHOWN_NAMES = 5;

/**
 * @param {string} log
 * @returns {Trajectory} the first event is the root's run_started
 */
export function readTrajectory(log) {
  const lines = [...log.split("\n").entries()].filter(([, line]) => line.trim() !== "");
  const reader = openReader();
  for (const [position, [index, line]] of lines.entries()) {
    const { event, wrong } = reader.read(line);
    if (wrong !== null && position > 0 && position === lines.length - 1 && jsonIn(line) === undefined)
      return { events: reader.events, notes: [...reader.notes(), cutOff(index + 1)] };
    if (wrong !== null) throw configError(`line ${index + 1} is no event of a trajectory: ${wrong}.`);
    if (position === 0) checkFirst(event, index + 1);
  }
  if (reader.events.length === 0) throw configError("the trajectory is empty: it holds no event.");
  return { events: reader.events, notes: reader.notes() };
}

/** Reads lines one by one; an unknown event is neither an event nor wrong. */
export function openReader() {
  /** @type {Event[]} */
  const events = [];
  /** @type {Map<string, number>} */
  const types = new Map();
  /** @type {Map<string, number>} */
  const fields = new Map();

  return {
    events,
    /**
     * @param {string} line
     * @returns {{event: Event | null, wrong: string | null}}
     */
    read(line) {
      const value = jsonIn(line);
      if (value === undefined) return { event: null, wrong: `it is not JSON: ${shown(line)}` };
      const fields = /** @type {Fields} */ (Object(value));
      const wrong = foreign(fields);
      if (wrong !== null) return { event: null, wrong };
      if (Object.hasOwn(EVENT_SCHEMAS, String(fields.type))) return take(upgraded(fields));
      count(types, String(fields.type));
      return { event: null, wrong: null };
    },
    /** What was left out so far, a sentence each. */
    notes: () => [
      ...noted(types, (all, names) => `${all} of an unknown type left out (${names})`),
      ...noted(fields, (all, names) => `${all} with unknown fields, which are left out (${names})`),
    ],
  };

  /** @param {Fields} fields */
  function take({ type, ...own }) {
    const name = String(type);
    const schema = EVENT_SCHEMAS[name];
    const wrong = mismatch(schema, own, name);
    if (wrong !== null) return { event: null, wrong };
    const unknown = unknownFields(schema, own, name);
    if (unknown.length > 0) count(fields, unknown.join(", "));
    const event = /** @type {Event} */ ({ type, .../** @type {object} */ (picked(schema, own)) });
    events.push(event);
    return { event, wrong: null };
  }
}

/**
 * @param {Map<string, number>} counts
 * @param {string} name
 */
function count(counts, name) {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/**
 * @param {Map<string, number>} counts
 * @param {(all: string, names: string) => string} sentence
 */
function noted(counts, sentence) {
  if (counts.size === 0) return [];
  const all = [...counts.values()].reduce((sum, one) => sum + one, 0);
  const names = [...counts.keys()].slice(0, SHOWN_NAMES).map(shown);
  const more = counts.size > names.length ? ", …" : "";
  return [sentence(`${all} event${all === 1 ? "" : "s"}`, names.join(", ") + more)];
}

/**
 * @param {Fields} fields
 * @returns {string | null} why a line can be no event of any version
 */
function foreign({ type, ...fields }) {
  if (type === "metadata" || (type === "iteration" && "code_blocks" in fields))
    return "it is of a log of the package rlms, which `pyodide-rlm import` makes a trajectory of";
  return typeof type === "string" ? null : `its type is ${shown(JSON.stringify(type) ?? "missing")}`;
}

/**
 * @param {Event | null} event
 * @param {number} line
 */
function checkFirst(event, line) {
  if (event?.type === "run_started" && event.path.length === 0) return;
  throw configError(
    `line ${line} is ${event?.type ?? "of an unknown type"}, and a trajectory begins with the root's run_started: its beginning is missing.`,
  );
}

/** @param {number} line */
function cutOff(line) {
  return `line ${line}, the last, was cut off and is left out.`;
}

/** @param {string} text */
function shown(text) {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
