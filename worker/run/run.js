// @ts-check
// Host: one run on the page. It owns the worker, answers its channel, enforces the limits and writes the trajectory.
//
// In: a job, and whom to tell. Out: how the run ended; for each ending that is not our fault there is a result.
// Everything that comes from the worker is untrusted: calls, usage, iterations and the end are the host's own record.

import { openBroker } from "../calls/broker.js";
import { callBook, toolBook } from "./call_accounts.js";
import { beyondMeasure } from "../egress/context_index.js";
import { openChildren } from "./children.js";
import { observed, openDeaths } from "../recovery/crashes.js";
import { openEgress, reenter } from "../egress/egress.js";
import { finished, noResult } from "./result.js";
import { configError } from "../wire/errors.js";
import { openAllowedModels } from "../egress/allowed_models.js";
import { openGate } from "../egress/gate.js";
import { drive, noticeOf } from "./one_worker.js";
import { openMeter } from "./message_quota.js";
import { CONTINUED } from "../recovery/resume.js";
import { openPlace } from "../recovery/position.js";
import { takeWorker } from "../boot/pool.js";
import { openRecorder } from "../log/recorder.js";
import { openTape } from "../recovery/request_tape.js";
import { dispatch } from "./dispatch.js";
import { CANCELLED, openStop } from "./stop.js";
import { openTools } from "./tools.js";
import { openTree } from "./budget.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/protocol.js").Ready["level"]} Level
 * @typedef {import("../boot/pool.js").StartedWorker} BootedWorker
 * @typedef {import("./budget.js").Tree} Tree
 * @typedef {import("./result.js").Ending} Ending
 * @typedef {ReturnType<typeof openRun>} Run
 * @typedef {import("./one_worker.js").LifeEnd} LifeEnd
 */

/**
 * @typedef {object} RunOptions
 * @property {StartJob} job
 * @property {string} endpoint
 * @property {string} assets URL of the assets' folder
 * @property {import("../boot/runtime.js").HostKind} [host] where workers live
 * @property {Level} containment the least level at which model code may run
 * @property {AbortSignal} [signal] stops the run
 * @property {(event: Event) => void} onEvent
 * @property {(kind: "root" | "sub", call: RequestedCall) => void} onCall
 * @property {(child: import("../wire/types.d.ts").RLMChild) => void} [onChild] told of each child run, wherever in the tree
 * @property {(stage: string) => void} [onStage]
 * @property {number} [memoryBytes]
 * @property {import("../wire/types.d.ts").Functions} [functions] what the job's tools call
 * @property {import("../egress/ledger.js").Ledger} ledger of the tree, or of the session
 * @property {import("../wire/types.d.ts").OnEgress} [onEgress]
 * @property {string[] | null} [allowedModels] beside the job's
 * @property {import("../egress/gate.js").Gate} [gate] of a child run: the tree's
 * @property {import("./budget.js").Tree} [tree] of a child run: the tree that it is in
 * @property {import("../wire/types.d.ts").Recorder} [recorder] of a child run: the tree's, at its place
 * @property {AbortSignal} [end] ends the run at once
 * @property {import("./session.js").Session} [session] where the worker outlives the run
 * @property {import("../log/journal.js").Journal | null} [journal] where the log is kept while the run lasts
 * @property {import("../recovery/resume.js").Past | null} [log] of a root run that is continued
 * @property {import("../recovery/resume.js").RunPast | null} [past] of a run that is continued
 * @property {import("../wire/types.d.ts").Source | null} [source] of a run that is made from a log: who answers it
 */

/**
 * `usageByPath`: place in the tree, as "0.2" -> model -> what that run alone used.
 * @typedef {{result: RunResult, trajectory: () => string, usageByPath: () => Record<string, RunResult["usage"]>,
 *   egress: import("../egress/ledger.js").Summary}} FinishedRun
 */

const LEVELS = ["weak", "network", "full"];
const STOPPED_IN = "The run was stopped in this block. It is not run again, and what it had bound is gone.";
const LOST = "The Python worker was lost";
const DIFFERS = "the run took another way than before: from here on models are asked anew.";

/**
 * @param {RunOptions} options
 * @returns {Promise<FinishedRun>}
 */
export async function runJob(options) {
  const { job, tree = openTree(job.limits), onEvent, journal, ledger, log = null } = options;
  const isRoot = job.path.length === 0;
  const past = isRoot ? log : (options.past ?? null);
  const gate = options.gate ?? gateOf(options);
  const recorder = options.recorder ?? openRecorder({ path: job.path, onEvent, past: log, sink: journal?.append });
  const run = openRun(recorder, { ...options, past, tree, gate });
  if (isRoot) log?.events.forEach(onEvent);
  if (isRoot && log !== null) recorder.record({ type: "notice", text: [CONTINUED, ...log.notes].join("; ") });
  let keeps = log !== null;
  try {
    if (isRoot) weighFromNow(ledger, job, log);
    const result = run.close(await live(run, options));
    if (run.hasLived()) options.session?.asked({ run, job });
    keeps = false;
    if (isRoot) await ledger.settled();
    return { ...finished(recorder, job, tree, result), egress: ledger.summary() };
  } finally {
    run.stop.close();
    if (isRoot) await (keeps ? journal?.leave() : journal?.close());
  }
}

/** The gate of a tree of runs. @param {RunOptions} options */
function gateOf({ job, ledger, onEgress = null, allowedModels }) {
  const models = [job.model, job.sub_model ?? job.model, ...(allowedModels ?? [])];
  const allowed = openAllowedModels({ models, defaultModel: ledger.destinations.defaultModel });
  return openGate({ maxContextChars: limitOf(job), onEgress, allowedModels: allowed });
}

function limitOf(/** @type {StartJob} */ { limits }) {
  return typeof limits.max_context_chars === "number" ? limits.max_context_chars : null;
}

/**
 * Look for this run's contexts too, in what leaves from now on and in what left before. A limit that cannot be kept is
 * refused: what is too large to be searched cannot be counted.
 * @param {import("../egress/ledger.js").Ledger} ledger
 * @param {StartJob} job
 * @param {import("../recovery/resume.js").Past | null} past
 */
function weighFromNow(ledger, job, past) {
  const [left] = limitOf(job) === null ? [] : beyondMeasure(job.contexts);
  if (left)
    throw configError(
      `maxContextChars cannot be kept: "${left.name}" is not searched (${left.why}). Leave it out, or drop the limit.`,
    );
  ledger.add(job.contexts);
  if (past !== null) reenter(ledger, past.events).catch(() => {}); // what cannot be read is told by the next call
}

/**
 * One worker after another, until the run ends.
 * @param {Run} run
 * @param {RunOptions} options
 * @returns {Promise<RunResult>}
 */
async function live(run, options) {
  const { session } = options;
  for (;;) {
    const kept = session?.take() ?? null;
    const worker = kept ?? (await readyWorker({ ...options, signal: run.stop.signal }).catch(run.unstarted));
    if (worker === null) return run.noResult(CANCELLED);
    if ("stopped_by" in worker) return run.noResult(worker);
    const earlier = kept === null ? (session?.turns() ?? []) : [];
    const { lost, notice } = await rebuild(worker, run, earlier);
    const end = lost ?? (await drive(worker, run, options, noticeOf(worker) + notice));
    if ("result" in end) {
      if (end.isWhole && session) session.keep(worker);
      else worker.terminate();
      return end.result;
    }
    if ("refused" in end) throw end.refused;
    if (!run.survive(end.death)) return run.noResult({ stopped_by: "worker_lost", detail: `${LOST}: ${end.death}` });
  }
}

/**
 * Go through the session's earlier questions again in a fresh worker: they are answered from their record, so that their
 * variables are there and no model is asked. Gives how the worker was lost meanwhile, if it was, and what to say of it.
 * @param {BootedWorker} worker
 * @param {Run} run
 * @param {import("./session.js").Turn[]} turns
 * @returns {Promise<{lost: LifeEnd | null, notice: string}>}
 */
async function rebuild(worker, run, turns) {
  for (const turn of turns) {
    turn.run.rewind();
    const again = { ...turn.run, stop: { ...run.stop, begin: () => {} }, noResult: run.noResult };
    const end = await drive(worker, again, { job: turn.job });
    if (run.stop.ending() !== null) {
      worker.terminate(); // it may have been stopped halfway
      return { lost: { result: run.noResult(CANCELLED), isWhole: false }, notice: "" };
    }
    if (!("result" in end && end.isWhole)) return { lost: end, notice: "" };
  }
  const otherwise = turns.some(({ run: { differed } }) => differed()) ? ", not all as they were" : "";
  return { lost: null, notice: turns.length === 0 ? "" : `; earlier questions rebuilt: ${turns.length}${otherwise}` };
}

/**
 * A worker at the containment asked for, or null when the run was stopped meanwhile.
 * @param {RunOptions} options
 */
async function readyWorker({ assets, host, containment, signal, onStage, memoryBytes }) {
  try {
    const worker = await takeWorker(assets, { host, signal, onStage, memoryBytes });
    checkContainment(worker, containment);
    return worker;
  } catch (error) {
    if (signal?.aborted) return null;
    throw error;
  }
}

function checkContainment(/** @type {BootedWorker} */ worker, /** @type {Level} */ least) {
  const { level, reason } = worker.ready;
  if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) return;
  worker.terminate();
  const remedy = `Serve the worker's script with its Content-Security-Policy, or pass host: "frame"`;
  throw configError(
    `containment is "${level}" (${reason}), not "${least}". ${remedy}, or pass containment: "${level}".`,
  );
}

/**
 * What a run keeps from one worker to the next.
 * @param {import("../wire/types.d.ts").Recorder} recorder
 * @param {RunOptions & {tree: Tree, gate: import("../egress/gate.js").Gate}} options
 */
function openRun(recorder, options) {
  const { job, endpoint, onCall, tree, journal, ledger, gate, past = null, source = null } = options;
  let meter = openMeter();
  const onAnswered = (/** @type {number} */ calls) => meter.expect(calls);
  const stop = openStop(options);
  const place = openPlace(recorder, past ?? (source && { blocks: source.lost(job.path), told: 0 }));
  const onRootDenied = (/** @type {string} */ detail) => stop.stop({ stopped_by: "denied", detail });
  const egress = openEgress({ ledger, gate, recorder, path: job.path, usage: () => tree.usage([]), onRootDenied });
  const calls = callBook(job, recorder, { onCall, onAnswered, tree, egress });
  calls.refund(-(past?.rootCalls ?? 0));
  const written = journal?.written ?? null;
  const broker = openBroker({ endpoint, witness: calls, fetcher: written === null ? undefined : fetchAfter(written) });
  const children = openChildren({ parent: options, recorder, runJob });
  const own = options.functions?.tools ?? {};
  const functions = source ? source.tools(job.path, own) : own;
  const tools = openTools({ functions, told: toolBook(recorder, { onAnswered, written }) });
  const answering = source?.answering({ path: job.path, witness: calls, recorder, live: broker.handle }) ?? broker;
  const handler = dispatch({ complete: answering.handle, child: children.handle, tool: tools.handle });
  let isOver = false;
  let differed = false;
  const onDifference = (/** @type {number} */ unused) => {
    if (isOver) return void (differed = true);
    calls.refund(unused);
    place.goOn();
    recorder.record({ type: "notice", text: DIFFERS });
  };
  const name = [journal?.name ?? crypto.randomUUID(), ...job.path].join("/");
  const recorded = { handler, name, place: place.current, onReplayed: onAnswered, onDifference, written };
  const tape = openTape({ ...recorded, entries: past?.entries });
  const deaths = openDeaths({ place, recorder, waits: tape.waits, past });
  if (past?.open && past.deaths > 1) place.lose(past.open, observed("its tab was closed twice while it ran"));
  tape.rewind(place.isLost);
  const ending = () => stop.ending();
  tree.open(job.path, broker.usage);
  if (source) tree.open(job.path, answering.usage);
  if (job.path.length === 0) tree.whenReached(stop.stop);
  if (job.path.length === 0 && options.log) tree.restore(options.log);
  let lives = 0;

  return {
    stop,
    place,
    tape,
    children,
    recorder,
    /** A worker's allowance of messages. */
    count: (/** @type {number} */ chars) => meter.count(chars),
    begin() {
      meter = openMeter();
      lives += 1;
    },
    /** Why the context is not the one that the run began with, or null. */
    otherContext(/** @type {Event & {type: "run_started"}} */ { contexts }) {
      if (!past?.contexts || JSON.stringify(contexts) === JSON.stringify(past.contexts)) return null;
      return configError(otherContext(past.contexts, contexts));
    },
    /** The worker died: whether another takes over. */
    survive(/** @type {string} */ why) {
      if (ending() !== null || !deaths.survive(why)) return false;
      tape.rewind(place.isLost);
      return true;
    },
    /** The run was stopped while this block ran; one that is gone through again has ended long ago. */
    stoppedIn: (/** @type {import("../recovery/position.js").Place} */ block) =>
      void (isOver || place.lose(block, STOPPED_IN)),
    /** To the beginning of a run that is over, for a worker that goes through it again. */
    rewind() {
      tape.rewind(place.isLost);
      differed = false;
    },
    /** Whether a worker that went through it again took another way. */
    differed: () => differed,
    /** Whether any worker began it. */
    hasLived: () => lives > 0,
    /** No worker could be started: what there is already is kept, otherwise nothing ran. */
    unstarted(/** @type {unknown} */ error) {
      if (recorder.empty() || (past !== null && lives === 0) || !(error instanceof Error)) throw error;
      return /** @type {Ending} */ ({
        stopped_by: "worker_lost",
        detail: `${LOST}, and none can be started: ${error.message}`,
      });
    },
    noResult: (/** @type {Ending} */ otherwise) => noResult(recorder.seconds(), ending() ?? otherwise),
    /** @returns {RunResult} */
    close(/** @type {RunResult} */ result) {
      isOver = true;
      tape.seal();
      children.close();
      broker.close();
      stop.close();
      const usage = tree.usage(job.path);
      const iterations = Math.min(tape.iterations(), Number(job.limits.max_iterations));
      return { ...result, answer: result.answer || place.partial(), iterations, usage };
    },
  };
}

/**
 * Calls leave when it is written down that they do.
 * @param {() => Promise<void>} written
 * @returns {typeof fetch}
 */
function fetchAfter(written) {
  return async (...request) => {
    await written();
    return fetch(...request);
  };
}

/**
 * @param {import("../recovery/resume.js").RunPast["contexts"]} before
 * @param {import("../recovery/resume.js").RunPast["contexts"]} now
 */
function otherContext(before, now) {
  return (
    `this is not the context that the run began with: ${told(before)} then, ${told(now)} now. Give it the same one. ` +
    "Nothing was asked, and the run is kept."
  );
}

function told(/** @type {import("../recovery/resume.js").RunPast["contexts"]} */ contexts) {
  return (contexts ?? [])
    .map(({ type, size, sha256, sha256_of_samples: samples }) => {
      const hash = sha256 ?? samples;
      return `${type}${size === undefined ? "" : ` of ${size}`}${hash ? ` (${String(hash).slice(0, 8)})` : ""}`;
    })
    .join(", ");
}
