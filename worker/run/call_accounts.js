// @ts-check
// Calls: what the host counts and tells of a worker's calls.
//
// In: calls before they leave, and what came of them. Out: the same to the recorder and to whoever listens; an error for
// those that may not leave.

import { rlmError } from "../wire/errors.js";
import { checkLengths } from "./budget.js";

/**
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("./budget.js").Tree} Tree
 */

const MAX_CALLS = 10_000;

/**
 * Counts the calls that leave, and refuses root calls beyond those that the iterations explain.
 * @param {StartJob} job
 * @param {import("../wire/types.d.ts").Recorder} recorder
 * @param {{onCall: import("./run.js").RunOptions["onCall"], onAnswered: (calls: number) => void, tree: Tree,
 *   egress: ReturnType<typeof import("../egress/egress.js").openEgress>}} told
 * @returns {import("../wire/types.d.ts").Witness & {refund: (rootCalls: number) => void}}
 */
export function callBook({ limits }, recorder, { onCall, onAnswered, tree, egress }) {
  const allowed = Number(limits.max_iterations) + 1; // one more asks for the best answer when they have run out
  let rootCalls = 0;

  return {
    /** So many were made in vain: the run took another way. */
    refund: (unused) => void (rootCalls -= unused),
    started(kind, calls) {
      const count = kind === "root" ? calls.length : 0;
      if (rootCalls + count > allowed) throw limitReached("root call", "maxIterations", rootCalls + count, allowed);
      if (calls.length > MAX_CALLS) throw limitReached("batch", "calls at once", calls.length, MAX_CALLS);
      if (kind === "sub") checkLengths(limits, calls);
      tree.admit(kind === "sub" ? calls.length : 0);
      const first = recorder.callsStarted(kind, calls);
      rootCalls += count;
      for (const call of calls) onCall(kind, call);
      return first;
    },
    replyPiece: (call, piece) => recorder.record({ type: "reply_written", call, ...piece }),
    noticed: (text) => recorder.record({ type: "notice", text }),
    leave: egress.leave,
    finished(call, outcome) {
      recorder.callFinished(call, outcome);
      if ("completion" in outcome) tree.spend(outcome.completion.usage);
      onAnswered(1);
    },
  };
}

function limitReached(
  /** @type {string} */ what,
  /** @type {string} */ limit,
  /** @type {number} */ used,
  /** @type {number} */ allowed,
) {
  const message = `${what} limit reached: ${used} of ${allowed} used. Raise ${limit}, or ask for less at once.`;
  return rlmError("LimitReached", message, { limit, used, allowed });
}

/**
 * Tells the log of the calls of tools, before and after.
 * @param {import("../wire/types.d.ts").Recorder} recorder
 * @param {{onAnswered: (calls: number) => void, written: (() => Promise<void>) | null}} told
 * @returns {import("./tools.js").Told}
 */
export function toolBook(recorder, { onAnswered, written }) {
  return {
    async started(name, { mark, again }) {
      if (again) recorder.record({ type: "notice", text: calledAgain(name) });
      else recorder.record({ type: "request_started", op: "tool", mark, name, children: [] });
      await written?.();
    },
    finished(called) {
      recorder.record({ type: "tool_called", ...called });
      onAnswered(1);
    },
  };
}

function calledAgain(/** @type {string} */ name) {
  return `the function "${name}" had been called and had not answered when the run was cut off: it is called again.`;
}
