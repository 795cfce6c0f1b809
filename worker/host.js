// @ts-check
// Host: one run on the page. It owns the worker, answers its channel, enforces the limits and writes the trajectory.
//
// In: a job, and whom to tell. Out: how the run ended; for each ending that is not our fault there is a result.
// Everything that comes from the worker is untrusted: calls, usage, iterations and the end are the host's own record.

import { answeringEnd, messageLine, sharedLine } from "./channel.js";
import { openBroker } from "./broker.js";
import { channelError, configError, protocolError, rlmError } from "./errors.js";
import { EVENT_SCHEMAS, RESULT_SCHEMA, STOP_GRACE_MS } from "./protocol.js";
import { openRecorder } from "./recorder.js";
import { bootWorker, loadAssets } from "./runtime.js";
import { mismatch } from "./schema.js";

/**
 * @typedef {import("./protocol.js").Event} Event
 * @typedef {import("./protocol.js").StartJob} StartJob
 * @typedef {import("./protocol.js").RunResult} RunResult
 * @typedef {import("./protocol.js").RequestedCall} RequestedCall
 * @typedef {import("./protocol.js").ToHost} ToHost
 * @typedef {import("./protocol.js").Ready["level"]} Level
 * @typedef {import("./runtime.js").BootedWorker} BootedWorker
 * @typedef {RunResult["stopped_by"]} StoppedBy
 * @typedef {{stopped_by: StoppedBy, detail: string}} Ending
 */

/**
 * @typedef {object} RunOptions
 * @property {StartJob} job
 * @property {string} endpoint
 * @property {string} assets URL of the assets' folder
 * @property {Level} containment the least level at which model code may run
 * @property {AbortSignal} [signal] stops the run
 * @property {(event: Event) => void} onEvent
 * @property {(kind: "root" | "sub", call: RequestedCall) => void} onCall
 * @property {(stage: string) => void} [onStage]
 * @property {number} [memoryBytes]
 */

/** @typedef {{result: RunResult, trajectory: () => string}} FinishedRun */

const LEVELS = ["weak", "network", "full"];
const LOST = "The Python worker was lost";
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const CANCELLED = /** @type {const} */ ({ stopped_by: "cancelled", detail: "The run was stopped." });
/** What only the host may say happened. */
const HOSTS_OWN = ["call_started", "call_finished", "run_finished"];

/**
 * @param {RunOptions} options
 * @returns {Promise<FinishedRun>}
 */
export const runJob = async (options) => {
  const recorder = openRecorder({ path: options.job.path, onEvent: options.onEvent });
  const worker = await readyWorker(options);
  if (worker === null) return finished(recorder, options.job, noResult(recorder.seconds(), CANCELLED));
  const result = await new Promise((/** @type {(result: RunResult) => void} */ resolve) => {
    drive(worker, recorder, options, resolve);
  });
  return finished(recorder, options.job, result);
};

/**
 * A worker at the containment asked for, or null when the run was stopped meanwhile.
 * @param {RunOptions} options
 */
const readyWorker = async ({ assets, containment, signal, onStage, memoryBytes }) => {
  try {
    const worker = await bootWorker(await loadAssets(assets), { signal, onStage, memoryBytes });
    checkContainment(worker, containment);
    return worker;
  } catch (error) {
    if (signal?.aborted) return null;
    throw error;
  }
};

const checkContainment = (/** @type {BootedWorker} */ worker, /** @type {Level} */ least) => {
  const { level, reason } = worker.ready;
  if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) return;
  worker.terminate();
  const header = "Serve the worker's script with its Content-Security-Policy";
  throw configError(
    `containment is "${level}" (${reason}), not "${least}". ${header}, or pass containment: "${level}".`,
  );
};

/**
 * From `start` to the end. `end` is called once.
 * @param {BootedWorker} worker
 * @param {ReturnType<typeof openRecorder>} recorder
 * @param {RunOptions} options
 * @param {(result: RunResult) => void} end
 */
const drive = (worker, recorder, { job, endpoint, signal, onCall }, end) => {
  const watch = watchEvents(recorder, noticeOf(worker));
  const witness = { started: admission(job, recorder, onCall), finished: recorder.callFinished };
  const broker = openBroker({ endpoint, witness });
  const channel = answeringEnd({ line: lineTo(worker), handler: broker.handle });
  /** @type {Ending | null} */
  let stopping = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let grace;

  const close = (/** @type {RunResult} */ result) => {
    worker.terminate();
    broker.close();
    channel.close();
    clearTimeout(grace);
    clearTimeout(deadline);
    signal?.removeEventListener("abort", cancel);
    end({ ...result, answer: result.answer || watch.partial(), iterations: watch.iterations(), usage: broker.usage() });
  };
  const closeWith = (/** @type {Ending} */ ending) => close(noResult(recorder.seconds(), stopping ?? ending));
  const stop = (/** @type {Ending} */ ending) => {
    if (stopping !== null) return;
    stopping = ending;
    channel.interrupt();
    grace = setTimeout(closeWith, STOP_GRACE_MS, ending);
  };
  const cancel = () => stop(CANCELLED);
  const deadline = deadlineOf(job, stop);

  const lost = (/** @type {string} */ why) => closeWith({ stopped_by: "worker_lost", detail: `${LOST}: ${why}` });
  const take = (/** @type {ToHost} */ message) => {
    if (message.type === "request") void channel.request(message);
    else if (message.type === "ack") channel.ack(message);
    else if (message.type === "events") watch.take(message.body);
    else if (message.type === "finished") close(resultOf(message.result, recorder.seconds(), stopping));
    else throw channelError(message.type === "failed" ? message.error : `unexpected message ${message.type}`);
  };

  worker.listen({ lost, message: guarded(take, lost) });
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  worker.post({ type: "start", epoch: worker.epoch, job }, transferables(job));
};

/**
 * `take`, with what the worker did wrong told by `lost`.
 * @template M
 * @param {(message: M) => void} take
 * @param {(why: string) => void} lost
 * @returns {(message: M) => void}
 */
const guarded = (take, lost) => (message) => {
  try {
    take(message);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    lost(error.message);
  }
};

const lineTo = (/** @type {BootedWorker} */ { memory, post, epoch }) =>
  memory === null ? messageLine(post, epoch) : sharedLine(memory.channel, memory.interrupt);

const transferables = (/** @type {StartJob} */ { contexts }) =>
  contexts.map(({ data }) => data).filter((data) => data instanceof ArrayBuffer);

const noticeOf = (/** @type {BootedWorker} */ { ready: { level, reason, transport, seconds } }) =>
  `worker ready in ${seconds.toFixed(2)} s; containment: ${level}${reason && ` (${reason})`}; channel: ${transport}`;

/**
 * Ends the run when its time is up, also inside a block.
 * @param {StartJob} job
 * @param {(ending: Ending) => void} stop
 */
const deadlineOf = ({ limits }, stop) => {
  const seconds = limits.max_seconds;
  if (typeof seconds !== "number") return undefined;
  const advice = "Raise maxTimeout, or ask over a smaller context.";
  const detail = `time limit reached: ${seconds} s of ${seconds} s used. ${advice}`;
  return setTimeout(stop, Math.min(seconds * 1_000, LONGEST_TIMER_MS), { stopped_by: "max_seconds", detail });
};

// ------------------------------------------------------------------------------------------- what the worker may do

/**
 * Counts the calls that leave, and refuses root calls beyond those that the iterations explain.
 * @param {StartJob} job
 * @param {ReturnType<typeof openRecorder>} recorder
 * @param {RunOptions["onCall"]} onCall
 * @returns {import("./broker.js").Witness["started"]}
 */
const admission = ({ limits }, recorder, onCall) => {
  const allowed = Number(limits.max_iterations) + 1; // one more asks for the best answer when they have run out
  let rootCalls = 0;
  return (kind, calls) => {
    if (kind === "root") rootCalls += calls.length;
    if (rootCalls > allowed) {
      const message = `root call limit reached: ${rootCalls} of ${allowed} used. Raise maxIterations.`;
      throw rlmError("LimitReached", message, { limit: "max_iterations", used: rootCalls, allowed });
    }
    const first = recorder.callsStarted(kind, calls);
    for (const call of calls) onCall(kind, call);
    return first;
  };
};

/**
 * Takes the worker's events: checks them, records them, and remembers what a result needs.
 * @param {ReturnType<typeof openRecorder>} recorder
 * @param {string} notice said right after the run's first event
 */
const watchEvents = (recorder, notice) => {
  let partial = "";
  let iterations = 0;

  const take = (/** @type {Event} */ event) => {
    if (event.type === "run_started" && !recorder.empty()) throw protocolError("a second run_started.");
    if (event.type === "block_finished" && event.partial !== null) partial = event.partial;
    if (event.type === "iteration_started") iterations = event.iteration;
    recorder.record(event);
    if (event.type === "run_started") recorder.record({ type: "notice", text: notice });
  };
  return {
    partial: () => partial,
    iterations: () => iterations,
    take: (/** @type {string} */ body) => eventsIn(body).forEach(take),
  };
};

/** @returns {Event[]} the events in the JSON text `body`, less those that are the host's to tell */
const eventsIn = (/** @type {string} */ body) => {
  const events = /** @type {unknown} */ (JSON.parse(body));
  if (!Array.isArray(events)) throw protocolError("events that are not a list.");
  for (const event of events) {
    const { type, ...fields } = /** @type {Record<string, unknown>} */ (Object(event));
    const known = typeof type === "string" && Object.hasOwn(EVENT_SCHEMAS, type);
    const wrong = known ? mismatch(EVENT_SCHEMAS[type], fields, type) : `an event of type ${type}`;
    if (wrong !== null) throw protocolError(`${wrong}.`);
  }
  return events.filter(({ type }) => !HOSTS_OWN.includes(type));
};

// ------------------------------------------------------------------------------------------------------- the ending

/**
 * The worker's result, as far as it is believed: a stop that the host asked for has the host's reason.
 * @param {string} text
 * @param {number} seconds
 * @param {Ending | null} stopping
 * @returns {RunResult}
 */
const resultOf = (text, seconds, stopping) => {
  const value = /** @type {unknown} */ (JSON.parse(text));
  const wrong = mismatch(RESULT_SCHEMA, value, "result");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  const result = /** @type {RunResult} */ (value);
  const ending = result.stopped_by === "final_answer" ? null : stopping;
  return { ...result, seconds, ...ending };
};

/** @returns {RunResult} */
const noResult = (/** @type {number} */ seconds, /** @type {Ending} */ ending) => ({
  answer: "",
  iterations: 0,
  seconds,
  usage: {},
  ...ending,
});

/**
 * Close the log: it begins with the run's configuration and ends with its result, whatever the worker said.
 * @param {ReturnType<typeof openRecorder>} recorder
 * @param {StartJob} job
 * @param {RunResult} result
 * @returns {FinishedRun}
 */
const finished = (recorder, job, result) => {
  const { question, model, sub_model, limits } = job;
  if (recorder.empty()) recorder.record({ type: "run_started", question, model, sub_model, limits, contexts: [] });
  const { answer, iterations, stopped_by, detail, usage } = result;
  recorder.record({ type: "run_finished", answer, iterations, stopped_by, detail, usage });
  return { result, trajectory: recorder.trajectory };
};
