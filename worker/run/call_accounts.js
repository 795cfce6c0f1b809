// @ts-check
// Call accounts: the host's own count and record of a worker's calls.
//
// In: calls before they begin, and their outcomes. Out: the same to the recorder and to the caller's listeners; an error
// for a call that may not begin.

import { rlmError } from "../wire/errors.js";
import { checkLengths, checkTexts } from "./budget.js";

/**
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {import("../wire/types.d.ts").Witness} Witness
 * @typedef {import("./types.d.ts").Tree} Tree
 */

const MAX_CALLS = 10_000;

/**
 * Counts the calls that leave, and refuses root calls beyond those that the iterations explain.
 * @param {object} options
 * @param {StartJob} options.job
 * @param {Tree} options.tree
 * @param {Recorder} options.recorder
 * @param {ReturnType<typeof import("../egress/egress.js").openEgress>} options.egress
 * @param {(calls: number) => void} options.onAnswered
 * @returns {Witness & {refund: (rootCalls: number) => void}}
 */
export function openCalls({ job, tree, recorder, egress, onAnswered }) {
  const { limits } = job;
  const allowed = Number(limits.max_iterations) + 1; // one more asks for the best answer when they have run out
  /** @type {Set<number>} */
  const compactions = new Set();
  let rootCalls = 0;

  /** @param {Kind} kind */
  const options = (kind) => (kind === "sub" ? job.sub_model_options : job.model_options);
  /** @type {Witness["finished"]} */
  const finished = (call, outcome) => {
    recorder.callFinished(call, outcome);
    if ("completion" in outcome) {
      const { model, usage } = outcome.completion;
      tree.budget.spend(model, usage);
      if (compactions.delete(call)) tree.usage.addCompaction(model, usage);
    }
    onAnswered(1);
  };

  return {
    options,
    /** So many were made in vain: the run took another way. */
    refund: (unused) => void (rootCalls -= unused),
    started(kind, calls) {
      const count = kind === "root" ? calls.length : 0;
      if (rootCalls + count > allowed) throw limitReached("root call", "maxIterations", rootCalls + count, allowed);
      if (calls.length > MAX_CALLS) throw limitReached("batch", "calls at once", calls.length, MAX_CALLS);
      if (kind === "sub") checkLengths(limits, calls);
      if (kind === "sub") checkTexts(calls);
      tree.budget.admit(kind === "sub" ? calls.length : 0);
      const first = recorder.callsStarted(kind, calls, options(kind));
      rootCalls += count;
      if (kind === "compaction") calls.forEach((_, index) => compactions.add(first + index));
      for (const call of calls) tree.listeners.onCall(kind, call);
      return first;
    },
    replyPiece: (call, piece) => recorder.record({ type: "reply_written", call, ...piece }),
    reasoningPiece: (call, piece) => recorder.record({ type: "reasoning_written", call, ...piece }),
    noticed: (text, code) => recorder.record({ type: "notice", code: code ?? null, text }),
    leave: egress.leave,
    finished,
    ahead: callsAhead({ job, tree, recorder, egress, finished }),
  };
}

/**
 * The account of sub-calls that leave before their request is made.
 * @param {object} options
 * @param {StartJob} options.job
 * @param {Tree} options.tree
 * @param {Recorder} options.recorder
 * @param {ReturnType<typeof import("../egress/egress.js").openEgress>} options.egress
 * @param {Witness["finished"]} options.finished
 * @returns {Required<Witness>["ahead"]}
 */
function callsAhead({ job, tree, recorder, egress, finished }) {
  /**
   * @param {import("../wire/types.d.ts").HostCall[]} calls
   * @param {import("../wire/types.d.ts").SentAhead} sent
   * @param {"used" | "unused"} ahead
   */
  const started = (calls, sent, ahead) => {
    const first = recorder.callsStarted("sub", calls, job.sub_model_options, ahead);
    for (const call of calls) tree.listeners.onCall("sub", call);
    egress.recordAhead(first, sent, ahead);
    return first;
  };
  return {
    async leave(calls, signal) {
      const admit = () => {
        if (tree.budget.room() < calls.length) return false;
        tree.budget.admit(calls.length);
        recorder.record({ type: "notice", code: "sent_ahead", text: sentAhead(calls) });
        return true;
      };
      checkLengths(job.limits, calls);
      checkTexts(calls);
      return egress.leaveAhead({ first: -1, kind: "sub", calls, signal }, admit);
    },
    used: (calls, sent) => started(calls, sent, "used"),
    unused(calls, outcomes, sent) {
      const first = started(calls, sent, "unused");
      outcomes.forEach((outcome, index) => finished(first + index, outcome));
    },
  };
}

/** @param {import("../wire/types.d.ts").HostCall[]} calls */
function sentAhead(calls) {
  const chars = calls.reduce(
    (sum, { messages }) => messages.reduce((all, { content }) => all + content.length, sum),
    0,
  );
  return `sub-calls left before the reply that makes them was whole: ${calls.length}, of ${chars} characters.`;
}

function limitReached(
  /** @type {string} */ subject,
  /** @type {string} */ limit,
  /** @type {number} */ used,
  /** @type {number} */ allowed,
) {
  const message = `${subject} limit reached: ${used} of ${allowed} used. Raise ${limit}, or ask for less at once.`;
  return rlmError("LimitReached", message, { limit, used, allowed });
}

/**
 * Records the calls of the caller's functions, before and after.
 * @param {object} options
 * @param {Recorder} options.recorder
 * @param {(calls: number) => void} options.onAnswered
 * @param {(() => Promise<void>) | null} options.written
 * @returns {import("./tools.js").ToolCalls}
 */
export function openToolCalls({ recorder, onAnswered, written }) {
  return {
    async started(name, { mark, again }) {
      if (again) recorder.record({ type: "notice", code: "called_again", text: calledAgain(name) });
      else recorder.record({ type: "request_started", op: "tool", mark, name, children: [] });
      await written?.();
    },
    finished(called) {
      recorder.record({ type: "tool_called", ...called });
      onAnswered(1);
    },
  };
}

/** @param {string} name */
function calledAgain(name) {
  return `the function "${name}" had been called and had not answered when the run was cut off: it is called again.`;
}
