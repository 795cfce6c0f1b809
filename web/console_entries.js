// @ts-check
/**
 * Entries of the console: Python that the person runs in the REPL of the conversation, between two questions. In: code, and
 * the session that runs it. Out: entries as they are shown, the variables that there are, and the history of what was typed.
 * Nothing is drawn here, and no model is asked.
 */

import { readTrajectory } from "/rlm/log/trajectory.js";
import { explain } from "./errors.js";
import { Printed } from "./printed.js";
import { changed } from "./state.js";
import { newWork } from "./work.js";

/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("/rlm/rlm.js").RLMVariable} RLMVariable */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * `variables` is null until they are listed; `stop` ends the entry that is at work.
 * @typedef {{entries: BlockView[], variables: RLMVariable[] | null, isOpen: boolean, isRebuilding: boolean,
 *   stop: AbortController | null, problem: Problem | null}} ConsoleView
 */

/** @type {ConsoleView} */
export const view = {
  entries: [],
  variables: null,
  isOpen: false,
  isRebuilding: false,
  stop: null,
  problem: null,
};

/** Ends with the listing of the variables that is under way. */
let listing = Promise.resolve();

/** Whether code of the person is at work, or the variables are being listed: then nothing else can be asked. */
export function isConsoleBusy() {
  return view.stop !== null || view.isRebuilding;
}

/** Another conversation: its REPL has none of this. */
export function clearConsole() {
  view.stop?.abort();
  Object.assign(view, { entries: [], variables: null, problem: null, stop: null });
}

/** The entries of a conversation before the reload. @param {readonly string[]} logs */
export function showEntries(logs) {
  view.entries = logs.map((log, at) => {
    const { events } = readTrajectory(log);
    const entry = newEntry("", at);
    for (const event of events) apply(entry, event);
    return entry;
  });
}

/**
 * Run code of the person.
 * @param {string} code
 * @param {() => Promise<Conversation | null>} session
 */
export async function enter(code, session) {
  if (view.stop !== null) return;
  const stop = new AbortController();
  const entry = newEntry(code, view.entries.length);
  const before = view.entries;
  Object.assign(view, { stop, problem: null, entries: [...before, entry] });
  changed();
  try {
    await listing;
    const conversation = view.stop === stop ? await session() : null;
    if (conversation === null) return void (view.stop === stop && (view.entries = before));
    conversation.onEvent = (event) => {
      apply(entry, event);
      changed();
    };
    const { stdout, stdoutChars, value, error, seconds, shown, variables } = await conversation.execute(code, {
      signal: stop.signal,
    });
    observe(entry, { stdout, stdout_chars: stdoutChars, value, error, seconds, shown });
    if (view.stop === stop) view.variables = variables;
  } catch (error) {
    console.error(error); // explained in the console
    if (view.stop === stop) view.problem = explain(error);
  } finally {
    if (view.stop === stop) view.stop = null; // else another conversation has the console
    changed();
  }
  if (view.variables === null && view.problem === null && view.entries.length > 0) await listVariables(session);
}

/** List the variables; where the interpreter was ended, they are rebuilt. @param {() => Promise<Conversation | null>} session */
export function listVariables(session) {
  if (!isConsoleBusy()) listing = listed(session);
  return listing;
}

/** @param {() => Promise<Conversation | null>} session */
async function listed(session) {
  view.isRebuilding = true;
  changed();
  try {
    view.variables = (await (await session())?.variables()) ?? null;
  } catch (error) {
    console.error(error); // the next entry says why
  } finally {
    view.isRebuilding = false;
    changed();
  }
}

/** @param {string} code @param {number} at @returns {BlockView} */
function newEntry(code, at) {
  const shown = { block: at, code, printed: new Printed(), observation: null, isStopped: false, startedAt: 0 };
  return { ...newWork(), ...shown };
}

/** @param {BlockView} entry @param {RunEvent} event */
function apply(entry, event) {
  if (event.type === "block_started") entry.code = event.code;
  else if (event.type === "output") entry.printed.append(event.text);
  else if (event.type === "block_finished") observe(entry, event.observation);
}

/** @param {BlockView} entry @param {NonNullable<BlockView["observation"]>} observation */
function observe(entry, observation) {
  entry.observation = observation;
  if (entry.printed.chars === 0) entry.printed.append(observation.stdout);
}
