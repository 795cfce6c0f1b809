// @ts-check
// Trajectory: the JSON lines of a log -> its events, checked, for whoever replays or shows it.
//
// In: text. Out: events and notes on what was left out, or a ConfigError that names the line. As in
// rlm_core/trajectory.py, a last line that was cut off is left out; any other line that is no event is an error.

import { configError } from "../wire/errors.js";
import { EVENT_SCHEMAS } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {{events: Event[], notes: string[]}} Trajectory
 */

const SHOWN_CHARS = 40;

/** @returns {Trajectory} the first event is the root's run_started */
export function readTrajectory(/** @type {string} */ log) {
  const lines = [...log.split("\n").entries()].filter(([, line]) => line.trim() !== "");
  /** @type {Event[]} */
  const events = [];
  for (const [place, [index, line]] of lines.entries()) {
    const value = jsonIn(line);
    if (value === undefined && place > 0 && place === lines.length - 1)
      return { events, notes: [`line ${index + 1}, the last, was cut off and is left out.`] };
    const wrong = value === undefined ? `it is not JSON: ${shown(line)}` : wrongWith(value);
    if (wrong !== null) throw configError(`line ${index + 1} is no event of a trajectory: ${wrong}.`);
    events.push(/** @type {Event} */ (value));
    if (events.length === 1) checkFirst(events[0], index + 1);
  }
  if (events.length === 0) throw configError("the trajectory is empty: it holds no event.");
  return { events, notes: [] };
}

/** @returns {unknown} undefined for what is not JSON */
function jsonIn(/** @type {string} */ line) {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @returns {string | null} */
function wrongWith(/** @type {unknown} */ value) {
  const { type, ...fields } = /** @type {Record<string, unknown>} */ (Object(value));
  if (type === "metadata" || (type === "iteration" && "code_blocks" in fields))
    return "it is of a log of the package rlms, which `pyodide-rlm import` makes a trajectory of";
  if (typeof type !== "string" || !Object.hasOwn(EVENT_SCHEMAS, type))
    return `its type is ${shown(JSON.stringify(type) ?? "missing")}, which is not known`;
  return mismatch(EVENT_SCHEMAS[type], fields, type);
}

function checkFirst(/** @type {Event} */ { type, path }, /** @type {number} */ line) {
  if (type === "run_started" && path.length === 0) return;
  throw configError(
    `line ${line} is ${type}, and a trajectory begins with the root's run_started: its beginning is missing.`,
  );
}

function shown(/** @type {string} */ text) {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
