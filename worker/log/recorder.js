// @ts-check
// Recorder: the trajectory of one run, as the host saw it.
//
// In: events, from the worker or of the host itself. Out: the same stamped with seq, path and seconds, to whoever
// listens, and as JSON lines. What is for watching only (`output`, `reply_written`) is passed on, not kept.

import { FOR_WATCHING } from "../wire/protocol.js";
import { NO_USAGE } from "../wire/usage.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Message} Message
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {import("../wire/types.d.ts").Unstamped} Unstamped
 */

/**
 * @param {object} options
 * @param {number[]} options.path place of the run in the tree
 * @param {(event: Event) => void} options.onEvent
 * @param {{lines: string[], calls: number, seconds: number} | null} [options.past] recorded in an earlier session
 * @param {(line: string) => void} [options.sink] takes each line as it is recorded
 * @param {() => number} [options.now] milliseconds, monotonic
 */
export function openRecorder({ path, onEvent, past = null, sink = () => {}, now = () => performance.now() }) {
  const { lines, calls, seconds } = past ?? { lines: [], calls: 0, seconds: 0 };
  const began = now() - seconds * 1_000;
  return recorderAt(path, { open: true, began, lines: [...lines], calls, onEvent, sink, now }, past !== null);
}

/**
 * What the recorders of a tree of runs share.
 * @typedef {{open: boolean, began: number, lines: string[], calls: number, onEvent: (event: Event) => void,
 *   sink: (line: string) => void, now: () => number}} Log
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

  const record = (/** @type {Unstamped} */ event) => {
    if (!log.open) return;
    const { type, ...fields } = event;
    const seconds = Math.round((log.now() - log.began) * 1_000) / 1_000_000;
    const stamped = /** @type {Event} */ ({ type, ...fields, seq: lines.length, path, seconds });
    empty = false;
    if (!FOR_WATCHING.includes(type)) {
      lines.push(JSON.stringify(stamped));
      log.sink(lines[lines.length - 1]);
    }
    log.onEvent(stamped);
  };

  const callStarted = (
    /** @type {"root" | "sub"} */ kind,
    /** @type {RequestedCall} */ call,
    /** @type {number} */ batch,
  ) => {
    const kept = kind === "root" ? shared(rootMessages, call.messages) : 0;
    if (kind === "root") rootMessages = call.messages;
    const messages = call.messages.slice(kept);
    record({ type: "call_started", call: log.calls, kind, model: call.model, messages, kept, batch });
    log.calls += 1;
  };

  return {
    record,
    /** One event per call; returns the number of the first. */
    callsStarted(/** @type {"root" | "sub"} */ kind, /** @type {RequestedCall[]} */ started) {
      const first = log.calls;
      for (const call of started) callStarted(kind, call, started.length);
      return first;
    },
    callFinished(/** @type {number} */ call, /** @type {Outcome} */ outcome) {
      record(
        "error" in outcome
          ? {
              type: "call_finished",
              call,
              model: "",
              text: null,
              error: outcome.error.detail,
              usage: NO_USAGE,
              finish_reason: null,
            }
          : { type: "call_finished", call, error: null, ...outcome.completion },
      );
    },
    /** The recorder of the run at `path`, into the same log. */
    below: (/** @type {number[]} */ below, /** @type {boolean} */ isContinued) => recorderAt(below, log, isContinued),
    /** Whether anything of this run was recorded yet. */
    empty: () => empty,
    /** Take no more: what comes later is of child runs that were ended with the tree. */
    close: () => void (log.open = false),
    /** The log of the whole tree so far: one JSON object a line. */
    trajectory: () => lines.map((line) => `${line}\n`).join(""),
    /** Since this run began. */
    seconds: () => (log.now() - began) / 1_000,
  };
}

/** How many messages both conversations begin with. */
function shared(/** @type {Message[]} */ before, /** @type {Message[]} */ after) {
  const differs = after.findIndex(
    (message, at) => message.content !== before[at]?.content || message.role !== before[at].role,
  );
  return differs === -1 ? after.length : differs;
}
