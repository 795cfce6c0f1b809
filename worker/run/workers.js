// @ts-check
// Workers: one worker of a run after another, until the run ends.
//
// In: a run. Out: its last result. A worker comes from the pool or, in a session, from the question before; where that one
// is gone, a fresh worker repeats the earlier questions from their record.

import { takeWorker } from "../boot/pool.js";
import { sizeOfAll } from "../egress/context_index.js";
import { engineName } from "../wire/engine.js";
import { configError } from "../wire/errors.js";
import { drive } from "./one_worker.js";
import { CANCELLED } from "./stop.js";

/**
 * @typedef {import("../boot/pool.js").StartedWorker} StartedWorker
 * @typedef {import("../wire/protocol.js").Ready} Ready
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("./types.d.ts").Run} Run
 * @typedef {import("./types.d.ts").Turn} Turn
 * @typedef {import("./types.d.ts").Ending} Ending
 * @typedef {import("./types.d.ts").Hosting} Hosting
 * @typedef {import("./types.d.ts").RunOptions} RunOptions
 * @typedef {import("./types.d.ts").WorkerEnd} WorkerEnd
 */

const LEVELS = ["weak", "network", "full"];
const LOST = "The Python worker was lost";

/**
 * @param {Run} run
 * @param {RunOptions} options
 * @returns {Promise<RunResult>} of the last worker
 */
export async function lastEnding(run, options) {
  const { session, tree } = options;
  for (;;) {
    const notices = run.isBegun() ? [] : options.notices;
    const kept = session?.take() ?? null;
    const worker =
      kept ?? (await readyWorker(tree.hosting, options.job, run.stop.signal).catch(unstarted(run, options)));
    if (worker === null) return run.noResult(CANCELLED);
    if ("stopped_by" in worker) return run.noResult(worker);
    const earlier = kept === null ? (session?.turns() ?? []) : [];
    const { failed, notice } = await repeat(worker, run, earlier);
    const end = failed ?? (await drive(worker, run, options, [noticeOf(worker) + notice, ...notices]));
    if ("result" in end) {
      if (end.isWhole && session) session.keep(worker);
      else worker.terminate();
      return end.result;
    }
    if ("refused" in end) throw end.refused;
    const survives = run.stop.ending() === null && run.recovery.survive(end);
    if (!survives) return run.noResult({ stopped_by: "worker_lost", detail: `${LOST}: ${end.crash}` });
  }
}

/**
 * Repeat the earlier questions of a session in a fresh worker; `failed` is how it ended instead.
 * @param {StartedWorker} worker
 * @param {Run} run
 * @param {Turn[]} turns
 * @returns {Promise<{failed: WorkerEnd | null, notice: string}>}
 */
async function repeat(worker, run, turns) {
  for (const turn of turns) {
    turn.run.recovery.rewind();
    const repeated = { ...turn.run, stop: { ...run.stop, begin: () => {} }, noResult: run.noResult };
    const end = await drive(worker, repeated, { job: turn.job });
    if (run.stop.ending() !== null) {
      worker.terminate(); // it may have been stopped halfway
      return { failed: { result: run.noResult(CANCELLED), isWhole: false }, notice: "" };
    }
    if (!("result" in end && end.isWhole)) return { failed: end, notice: "" };
  }
  const otherwise = turns.some((turn) => turn.run.recovery.isDiverged()) ? ", not all as they were" : "";
  return { failed: null, notice: turns.length === 0 ? "" : `; earlier questions rebuilt: ${turns.length}${otherwise}` };
}

/**
 * A worker at the containment that is wanted, or null when the run was stopped meanwhile.
 * @param {Hosting} hosting
 * @param {RunOptions["job"]} job
 * @param {AbortSignal} signal
 */
async function readyWorker({ assets, host, containment, onStage, memoryBytes }, { contexts }, signal) {
  try {
    const options = { host, signal, onStage, memoryBytes };
    const worker = await takeWorker(assets, { ...options, contextBytes: sizeOfAll(contexts) });
    checkContainment(worker, containment);
    return worker;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/**
 * No worker could be started: a run that has a log ends with it, otherwise nothing ran.
 * @param {Run} run
 * @param {RunOptions} options
 */
function unstarted(run, { recorder, resumed }) {
  return (/** @type {unknown} */ error) => {
    if (recorder.empty() || (resumed !== null && !run.isBegun()) || !(error instanceof Error)) throw error;
    return /** @type {Ending} */ ({
      stopped_by: "worker_lost",
      detail: `${LOST}, and none can be started: ${error.message}`,
    });
  };
}

/**
 * @param {StartedWorker} worker
 * @param {Ready["level"]} least
 */
function checkContainment(worker, least) {
  const { level, reason } = worker.ready;
  if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) return;
  worker.terminate();
  const remedy = `Serve the worker's script with its Content-Security-Policy, or pass host: "frame"`;
  throw configError(
    `containment is "${level}" (${reason}), not "${least}". ${remedy}, or pass containment: "${level}".`,
  );
}

/** @param {StartedWorker} startedWorker */
function noticeOf({ start, inFrame, ready: { level, reason, transport, seconds } }) {
  const contained = `containment: ${level}${reason && ` (${reason})`}`;
  const ready = `worker ready in ${seconds.toFixed(2)} s${inFrame ? ", in a frame" : ""}`;
  return `${ready}; ${contained}; channel: ${transport}; start: ${start}; engine: ${engineName()}`;
}
