// @ts-check
// Restored turn: an earlier question of a session, from its log, after the tab was reloaded.
//
// In: the log and the job that the question had. Out: a turn as session.js keeps it, whose state a fresh worker rebuilds:
// blocks run again over the same context, and requests are answered from the log. No model is called, and nothing is
// recorded. A block in which the question was stopped is not run again.

import { openRecovery } from "../recovery/recovery.js";
import { openQuota } from "./message_quota.js";
import { noResult } from "./result.js";
import { openShape } from "./shape.js";
import { CANCELLED } from "./stop.js";

/**
 * @typedef {import("../recovery/types.d.ts").ResumedLog} ResumedLog
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("./types.d.ts").Turn} Turn
 */

const STOPPED_IN = "The run was stopped in this block. It is not run again, and its names are gone.";
const FROM_INSIDE = ["final_answer", "max_iterations", "max_errors", "provider_error"];

/**
 * @param {object} options
 * @param {ResumedLog} options.resumed
 * @param {StartJob} options.job
 * @param {string} options.validator address of the module that checks values by a schema
 * @returns {Promise<Turn>}
 */
export async function restoredTurn({ resumed, job, validator }) {
  const { question, model, sub_model, limits, model_options, sub_model_options, schema, direct, console } = job;
  const quota = openQuota();
  const recorder = { record: () => {}, empty: () => false, otherCalls: () => 0, seconds: () => resumed.seconds };
  const recovery = openRecovery({
    recorder,
    handlers: {},
    name: resumed.run,
    onReplayed: quota.expect,
    onDiverged: () => {},
    resumed: { ...resumed, open: null },
    lost: [],
  });
  const stopped = stoppedIn(resumed);
  if (stopped) recovery.position.lose(stopped, STOPPED_IN);
  recovery.seal();
  const models = { model, sub_model, model_options, sub_model_options };
  const start = { question, ...models, limits, schema, direct, console, run: resumed.run };
  const run = {
    start,
    shape: schema === null ? null : await openShape(schema, validator),
    stop: noStop(),
    recorder,
    recovery,
    quota,
    ahead: () => {},
    stopChildren: () => {},
    begin: quota.renew,
    isBegun: () => true,
    noResult: (/** @type {import("./types.d.ts").Ending} */ ending) => noResult(resumed.seconds, ending),
    close: (/** @type {import("../wire/protocol.js").RunResult} */ result) => result,
  };
  return { run, job };
}

/**
 * The block in which the question was stopped, or its tab closed.
 * @param {ResumedLog} resumed
 */
function stoppedIn({ open, blocks, ending, events: [started] }) {
  if (open !== null) return open;
  const isEntry = started?.type === "run_started" && started.console;
  if (isEntry && blocks.length === 0) return { iteration: 1, block: 0 }; // stopped before its code began
  if (ending !== null && FROM_INSIDE.includes(ending.stopped_by)) return null;
  const last = blocks.at(-1);
  return last && last.observation.error !== null ? last : null;
}

/** Each question that is rebuilt has the stop of the one under way. @returns {import("./types.d.ts").Stop} */
function noStop() {
  const { signal } = new AbortController();
  return { stop: () => {}, signal, ending: () => CANCELLED, begin: () => {}, close: () => {} };
}
