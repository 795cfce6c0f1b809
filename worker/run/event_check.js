// @ts-check
// Event check: the worker's account of its run, compared with the host's knowledge of it.
//
// In: the JSON text of events, as they come. Out: the same, checked, to the recorder. The worker may report its own blocks
// only, in the order in which a run has them. Calls and the end are the host's.

import { displayedItems } from "../wire/displayed_items.js";
import { protocolError } from "../wire/errors.js";
import { EVENT_SCHEMAS } from "../wire/protocol.js";
import { mismatch, picked } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {Omit<Event & {type: "run_started"}, "type">} RunStarted
 * @typedef {Pick<import("../wire/types.d.ts").Recorder, "empty" | "record">} Recorder
 * @typedef {import("../wire/types.d.ts").HostNotice} HostNotice
 */

/**
 * The host's knowledge of the run.
 * @typedef {object} Known
 * @property {() => number} rootCalls made so far
 * @property {() => string | null} reply of the last root call, null when it failed
 * @property {number} maxIterations
 * @property {Partial<RunStarted>} start fields that are the host's
 */

/** Events that only the host may report. */
const HOSTS_OWN = [
  "call_started",
  "reply_written",
  "reasoning_written",
  "egress",
  "call_finished",
  "request_started",
  "tool_called",
  "run_finished",
];
const MAX_EVENTS_CHARS = 16 << 20;
const ESCAPED = 6; // most characters that JSON makes of one
const MAX_NOTICE_CHARS = 2_000;
/** Before each notice of the worker: one without it is the host's. */
const WORKER_SAYS = "worker: ";
const MAX_NOTICES = 100;
const MAX_BLOCKS = 1_000;
const MAX_EVENTS = 1_000;

/**
 * @param {Recorder} recorder
 * @param {object} options
 * @param {HostNotice[]} options.notices recorded right after the run's first event; the first says how the worker started
 * @param {string} options.question
 * @param {Known} options.known
 */
export function checkEvents(recorder, { notices, question, known }) {
  const order = runOrder(known);

  /** @param {Event} event */
  const take = (event) => {
    if (event.type === "run_started" && !recorder.empty()) throw protocolError("a second run_started.");
    order(event);
    recorder.record(bounded(event, known));
    if (event.type !== "run_started") return;
    notices.forEach((notice, at) => {
      const { code, text } = typeof notice === "string" ? { code: null, text: notice } : notice;
      recorder.record({ type: "notice", code: at === 0 ? "worker_ready" : code, text });
    });
  };
  return {
    /** @param {string} body */
    take(body) {
      const most = MAX_EVENTS_CHARS + ESCAPED * (question.length + (known.reply()?.length ?? 0));
      if (body.length > most) throw protocolError(`events of ${body.length} characters; ${most} are allowed.`);
      eventsIn(body).forEach(take);
    },
  };
}

/**
 * Where the host knows better, its own account counts; a text that is shown as it is has a length.
 * @param {Event} event
 * @param {Known} known
 */
function bounded(event, known) {
  if (event.type === "notice")
    return { ...event, code: null, text: WORKER_SAYS + event.text.slice(0, MAX_NOTICE_CHARS) };
  if (event.type === "run_started") return { ...event, ...known.start };
  if (event.type === "block_finished" && event.observation.shown !== null) checkShown(event.observation.shown);
  return event.type === "iteration_finished" ? { ...event, reply: known.reply() ?? "" } : event;
}

/** @param {string} shown */
function checkShown(shown) {
  const { wrong } = displayedItems(shown);
  if (wrong !== null) throw protocolError(`displayed values: ${wrong}.`);
}

/**
 * Checks that an event may follow those before it: iterations and their blocks are counted, one after another.
 * @param {Known} known
 * @returns {(event: Event) => void}
 */
function runOrder({ rootCalls, maxIterations }) {
  let iteration = 0;
  let blocks = 0;
  let running = false;
  let notices = 0;

  return (event) => {
    /** @param {boolean} met */
    const expect = (met) => {
      if (!met) throw protocolError(`${event.type} out of order, in iteration ${iteration} of ${maxIterations}.`);
    };
    if (event.type === "notice") expect((notices += 1) <= MAX_NOTICES);
    if (event.type === "iteration_started") {
      expect(event.iteration === iteration + 1 && iteration < maxIterations && iteration <= rootCalls());
      [iteration, blocks, running] = [event.iteration, 0, false];
    } else if (event.type === "block_started") {
      expect(!running && event.iteration === iteration && event.block === blocks && blocks < MAX_BLOCKS);
      [blocks, running] = [blocks + 1, true];
    } else if (event.type === "output" || event.type === "block_finished") {
      expect(running && event.iteration === iteration && event.block === blocks - 1);
      running = event.type === "output";
    } else if (event.type === "iteration_finished") expect(!running && event.iteration === iteration);
  };
}

/**
 * @param {string} body
 * @returns {Event[]} the events in the JSON text `body`, less those that are the host's
 */
function eventsIn(body) {
  const events = JSON.parse(body);
  if (!Array.isArray(events)) throw protocolError("events that are not a list.");
  if (events.length > MAX_EVENTS) throw protocolError(`${events.length} events at once; ${MAX_EVENTS} are allowed.`);
  return events.map(checked).filter(({ type }) => !HOSTS_OWN.includes(type));
}

/**
 * @param {unknown} event
 * @returns {Event} the fields of `event` that an event of its type has, and no others
 */
function checked(event) {
  const { type, ...fields } = /** @type {Record<string, unknown>} */ (Object(event));
  if (typeof type !== "string" || !Object.hasOwn(EVENT_SCHEMAS, type)) throw protocolError(`an event of type ${type}.`);
  const wrong = mismatch(EVENT_SCHEMAS[type], fields, type);
  if (wrong !== null) throw protocolError(`${wrong}.`);
  return /** @type {Event} */ ({ type, .../** @type {object} */ (picked(EVENT_SCHEMAS[type], fields)) });
}
