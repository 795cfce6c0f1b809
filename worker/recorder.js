// @ts-check
// Recorder: the trajectory of one run, as the host saw it.
//
// In: events, from the worker or of the host itself. Out: the same stamped with seq, path and seconds, to whoever
// listens, and as JSON lines. `output` is for watching only: it is passed on, not kept.

/**
 * @typedef {import("./protocol.js").Event} Event
 * @typedef {import("./protocol.js").Message} Message
 * @typedef {import("./protocol.js").RequestedCall} RequestedCall
 * @typedef {import("./broker.js").Outcome} Outcome
 */

/**
 * An event as it comes in: the stamp is the recorder's.
 * @template {Event} [E=Event]
 * @typedef {E extends Event ? Omit<E, "seq" | "path" | "seconds"> : never} Unstamped
 */

const NO_USAGE = { calls: 0, input_tokens: 0, output_tokens: 0 };

/**
 * @param {object} options
 * @param {number[]} options.path place of the run in the tree
 * @param {(event: Event) => void} options.onEvent
 * @param {() => number} [options.now] milliseconds, monotonic
 */
export const openRecorder = ({ path, onEvent, now = () => performance.now() }) => {
  const began = now();
  /** @type {string[]} */
  const lines = [];
  /** @type {Message[]} */
  let rootMessages = [];
  let calls = 0;

  const record = (/** @type {Unstamped} */ event) => {
    const { type, ...fields } = event;
    const seconds = Math.round((now() - began) * 1_000) / 1_000_000;
    const stamped = /** @type {Event} */ ({ type, ...fields, seq: lines.length, path, seconds });
    if (type !== "output") lines.push(JSON.stringify(stamped));
    onEvent(stamped);
  };

  const callStarted = (
    /** @type {"root" | "sub"} */ kind,
    /** @type {RequestedCall} */ call,
    /** @type {number} */ batch,
  ) => {
    const kept = kind === "root" ? shared(rootMessages, call.messages) : 0;
    if (kind === "root") rootMessages = call.messages;
    const messages = call.messages.slice(kept);
    record({ type: "call_started", call: calls, kind, model: call.model, messages, kept, batch });
    calls += 1;
  };

  return {
    record,
    /** One event per call; returns the number of the first. */
    callsStarted(/** @type {"root" | "sub"} */ kind, /** @type {RequestedCall[]} */ started) {
      const first = calls;
      for (const call of started) callStarted(kind, call, started.length);
      return first;
    },
    callFinished(/** @type {number} */ call, /** @type {Outcome} */ outcome) {
      record(
        "error" in outcome
          ? { type: "call_finished", call, model: "", text: null, error: outcome.error.detail, usage: NO_USAGE }
          : { type: "call_finished", call, error: null, ...outcome.completion },
      );
    },
    /** Whether anything was recorded yet. */
    empty: () => lines.length === 0,
    /** The log so far: one JSON object a line. */
    trajectory: () => lines.map((line) => `${line}\n`).join(""),
    seconds: () => (now() - began) / 1_000,
  };
};

/** How many messages both conversations begin with. */
const shared = (/** @type {Message[]} */ before, /** @type {Message[]} */ after) => {
  const differs = after.findIndex(
    (message, at) => message.content !== before[at]?.content || message.role !== before[at].role,
  );
  return differs === -1 ? after.length : differs;
};
