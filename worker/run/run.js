// @ts-check
// Run: one run of a tree on the page, with one worker after another.
//
// In: a job and the tree that it is in. Out: how the run ended; each ending that is not our fault has a result. Everything
// that comes from a worker is untrusted: calls, usage, iterations and the end are the host's own record.

import { validatorUrl } from "../boot/runtime.js";
import { openRecovery } from "../recovery/recovery.js";
import { OF_VARIABLES, withoutModels } from "./console.js";
import { checkedEvidence } from "./evidence_check.js";
import { openQuota } from "./message_quota.js";
import { openRequests } from "./requests.js";
import { noResult, recordResult } from "./result.js";
import { openShape } from "./shape.js";
import { openStop } from "./stop.js";
import { lastEnding } from "./workers.js";

/**
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("./types.d.ts").Ending} Ending
 * @typedef {import("./types.d.ts").RunOptions} RunOptions
 * @typedef {import("./types.d.ts").Run} Run
 */

/**
 * @param {RunOptions} options
 * @returns {Promise<RunResult>}
 */
export async function runJob(options) {
  const { job, tree, recorder, session } = options;
  const shape = await shapeOf(options);
  const run = openRun(options, shape);
  try {
    const ended = run.close(await lastEnding(run, options));
    const result = { ...ended, evidence: await checkedEvidence(ended.evidence, job.contexts) };
    const isIdle = job.console && run.recovery.position.blocks().length === 0; // stopped before its code began
    if (run.isBegun() && !isIdle) session?.add({ run, job });
    if (job.path.length === 0) await tree.ledger.settled();
    recordResult(recorder, run.start, job.console ? { ...result, value: null } : result);
    if (job.path.length === 0) recorder.close();
    return result;
  } finally {
    run.stop.close();
  }
}

/**
 * Of the value that the worker ends with; null: the run has none.
 * @param {RunOptions} runOptions
 */
async function shapeOf({ job, tree }) {
  if (job.console) return OF_VARIABLES;
  return (job.schema ?? null) === null ? null : openShape(job.schema, await validatorUrl(tree.hosting.assets));
}

/**
 * The beginning of the run as the host has it.
 * @param {RunOptions} runOptions
 */
function startOf({ job, tree }) {
  const { question, model, sub_model, limits, model_options, sub_model_options, schema, direct, console } = job;
  const models = { model, sub_model, model_options, sub_model_options };
  return { question, ...models, limits, schema, direct, console, run: tree.name };
}

/**
 * @param {RunOptions} options
 * @param {import("./shape.js").Shape | null} shape
 * @returns {Run}
 */
function openRun(options, shape) {
  const { job, tree, recorder, resumed } = options;
  const isRoot = job.path.length === 0;
  const stop = openStop(options);
  const quota = openQuota();
  const requests = openRequests(options, { onAnswered: quota.expect, stop: stop.stop, runJob });
  const recovery = openRecovery({
    recorder,
    handlers: job.console ? withoutModels(requests.handlers) : requests.handlers,
    name: [tree.name, ...job.path].join("/"),
    onReplayed: quota.expect,
    onDiverged: requests.refund,
    resumed,
    lost: tree.source?.lost(job.path) ?? [],
  });
  if (isRoot) tree.budget.whenReached(stop.stop);
  let workers = 0;

  return {
    start: startOf(options),
    shape,
    stop,
    recorder,
    recovery,
    quota,
    ahead: (message) => requests.ahead(message, recovery.tape.expected),
    stopChildren: requests.stopChildren,
    /** A worker takes the run over. */
    begin() {
      quota.renew();
      workers += 1;
    },
    /** Whether any worker began it. */
    isBegun: () => workers > 0,
    /**
     * A result without the worker's account of it.
     * @param {Ending} otherwise
     */
    noResult: (otherwise) => noResult(recorder.seconds(), stop.ending() ?? otherwise),
    /**
     * @param {RunResult} result
     * @returns {RunResult}
     */
    close(result) {
      recovery.seal();
      requests.close();
      stop.close();
      const answer = result.answer || recovery.position.partial();
      const iterations = Math.min(recovery.tape.iterations(), Number(job.limits.max_iterations));
      return { ...result, answer, iterations, usage: tree.usage.of(job.path) };
    },
  };
}
