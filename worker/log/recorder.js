// @ts-check
// Recorder: the trajectory of one run, as the host saw it.
//
// In: events, from the worker or of the host itself. Out: the same stamped with seq, path and seconds, to the listener and
// as JSON lines. Events for watching only (`FOR_WATCHING`) are passed on, not kept.

import { FOR_WATCHING } from "../wire/protocol.js";
import { NO_USAGE } from "../wire/usage.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Message} Message
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {import("../wire/types.d.ts").Unstamped} Unstamped
 */

/**
 * @param {object} options
 * @param {number[]} options.path position of the run in the tree
 * @param {(event: Event) => void} options.onEvent
 * @param {{lines: string[], calls: number, seconds: number} | null} [options.resumed] recorded in an earlier session
 * @param {boolean} [options.keepImages] whether the log holds the bytes of images, beside their digests
 * @param {Sink} [options.sink] takes each line as it is recorded, with the type of its event and the place of its run
 * @param {() => number} [options.now] milliseconds, monotonic
 */
export function openRecorder({ path, onEvent, resumed = null, keepImages = false, sink = () => {}, now = clock }) {
  const { lines, calls, seconds } = resumed ?? { lines: [], calls: 0, seconds: 0 };
  const began = now() - seconds * 1_000;
  return recorderAt(
    path,
    { open: true, began, lines: [...lines], calls, keepImages, onEvent, sink, now },
    resumed !== null,
  );
}

function clock() {
  return performance.now();
}

/**
 * A line of the log, or the event that it is made of.
 * @typedef {string | Event} Line
 */

/** @typedef {(line: string, type: string, path: number[]) => void} Sink */

/** Characters of a line from which on its event is kept in its place: its texts are those of the call, not a copy. */
const LONG_LINE_CHARS = 4_096;

/**
 * The state that the recorders of a tree of runs share.
 * @typedef {{open: boolean, began: number, lines: Line[], calls: number, keepImages: boolean, onEvent: (event: Event) => void,
 *   sink: Sink, now: () => number}} Log
 */

/**
 * @param {number[]} path
 * @param {Log} log
 * @param {boolean} isContinued whether the log holds the beginning of this run already
 * @returns {Recorder}
 */
function recorderAt(path, log, isContinued) {
  const began = log.now();
  const { lines } = log;
  /** @type {Message[]} */
  let rootMessages = [];
  let empty = !isContinued;
  let own = 0;

  /** @param {Unstamped} event */
  const record = (event) => {
    if (!log.open) return;
    const { type, ...fields } = event;
    const seconds = Math.round((log.now() - log.began) * 1_000) / 1_000_000;
    const stamped = /** @type {Event} */ ({ type, ...fields, seq: lines.length, path, seconds });
    empty = false;
    if (!FOR_WATCHING.includes(type)) {
      const line = JSON.stringify(stamped);
      lines.push(line.length > LONG_LINE_CHARS && stamped.type === "call_started" ? owned(stamped) : line);
      log.sink(line, type, path);
    }
    log.onEvent(stamped);
  };

  /**
   * The fields of a call that its log does not hold yet: those of its conversation are logged once.
   * @param {Kind} kind
   * @param {RequestedCall} requestedCall
   */
  const added = (kind, { model, messages, pictures = [] }) => {
    const images = pictures.map(({ base64, ...image }) => ({ ...image, data: log.keepImages ? base64 : null }));
    if (kind !== "root") return { kind, model, messages, kept: 0, images };
    const kept = shared(rootMessages, messages);
    rootMessages = messages;
    return { kind, model, messages: messages.slice(kept), kept, images };
  };

  return {
    record,
    /** One event per call; returns the number of the first. */
    callsStarted(kind, calls, options, ahead = null) {
      const first = log.calls;
      if (ahead !== "unused") own += calls.length;
      for (const call of calls)
        record({ type: "call_started", call: log.calls++, ...added(kind, call), batch: calls.length, options, ahead });
      return first;
    },
    callFinished(call, outcome) {
      record(
        "error" in outcome
          ? { ...failed(outcome), type: "call_finished", call }
          : { type: "call_finished", call, error: null, stopped: null, ...answered(outcome) },
      );
    },
    /** The recorder of the run at `path`, into the same log. */
    below: (below, isContinued) => recorderAt(below, log, isContinued),
    /** Number of calls in the log, but for those that this recorder began for requests of its run. */
    otherCalls: () => log.calls - own,
    /** Whether nothing of this run is recorded yet. */
    empty: () => empty,
    /** Record no more: later events are of child runs that were ended with the tree. */
    close: () => void (log.open = false),
    /** The log of the whole tree so far: one JSON object a line. */
    trajectory: () => lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""),
    /** The events of that log, one at a time: its text is not made. */
    *events() {
      for (const line of lines) yield typeof line === "string" ? /** @type {Event} */ (JSON.parse(line)) : line;
    },
    /** Since this run began. */
    seconds: () => (log.now() - began) / 1_000,
  };
}

/**
 * A call's event that no listener can change.
 * @param {Event & {type: "call_started"}} event
 * @returns {Event}
 */
function owned(event) {
  const [messages, images] = [event.messages, event.images].map((list) => list.map((item) => ({ ...item })));
  return /** @type {Event} */ ({ ...event, options: { ...event.options }, messages, images });
}

/** @param {Extract<Outcome, {completion: unknown}>} outcome */
function answered({ completion, fromStore = false }) {
  return { ...completion, from_store: fromStore };
}

/** @param {Extract<Outcome, {error: unknown}>} outcome */
function failed({ error: { type, detail }, usage = NO_USAGE }) {
  const stopped = type === "stopped" ? "cancelled" : null;
  const facts = { finish_reason: null, reasoning: "", from_store: false };
  return { model: "", text: null, error: detail, stopped, usage, ...facts };
}

/**
 * How many messages both conversations begin with.
 * @param {Message[]} before
 * @param {Message[]} after
 */
function shared(before, after) {
  const differs = after.findIndex(
    (message, at) => message.content !== before[at]?.content || message.role !== before[at].role,
  );
  return differs === -1 ? after.length : differs;
}
