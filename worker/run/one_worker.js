// @ts-check
// One worker: a worker of a run, from `start` to its end or its crash.
//
// In: a ready worker, its run and its job. Out: how it ended. Its messages are untrusted: a wrong one counts as a crash.

import { openActiveClock } from "../time/active_clock.js";
import { withPackages } from "../boot/packages.js";
import { answeringEnd } from "../wire/answering_end.js";
import { ENDED_OUTSIDE, channelError } from "../wire/errors.js";
import { BLOCK_GRACE_MS, HEALTH_STAGE, STOP_BLOCK, STOP_GRACE_MS } from "../wire/protocol.js";
import { withConversation } from "./conversation.js";
import { checkEvents } from "./event_check.js";
import { openHeartbeat } from "./heartbeat.js";
import { resultOf } from "./result.js";
import { withShape } from "./shape.js";
import { CANCELLED } from "./stop.js";

/**
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").ToHost} ToHost
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("./types.d.ts").Run} Run
 * @typedef {import("./types.d.ts").RunOptions} RunOptions
 * @typedef {import("./types.d.ts").StartedWorker} StartedWorker
 * @typedef {import("./types.d.ts").WorkerEnd} WorkerEnd
 */

/**
 * @param {StartedWorker} worker
 * @param {Run} run
 * @param {Pick<RunOptions, "job" | "end">} options
 * @param {import("../wire/types.d.ts").HostNotice[]} [notices] the first one says how the worker started
 * @returns {Promise<WorkerEnd>}
 */
export function drive(worker, run, options, notices = []) {
  return new Promise((resolve) => driven(worker, run, { ...options, notices }, resolve));
}

/**
 * @param {StartedWorker} worker
 * @param {Run} run
 * @param {Pick<RunOptions, "job" | "end"> & {notices: import("../wire/types.d.ts").HostNotice[]}} options
 * @param {(end: WorkerEnd) => void} resolve called once
 */
function driven(worker, run, { job, end: endSignal, notices }, resolve) {
  const { stop, quota, recovery } = run;
  const { position, tape } = recovery;
  const { run: name, model_options, sub_model_options, schema, direct, console } = run.start;
  const start = { run: name, model_options, sub_model_options, schema, direct, console };
  const maxIterations = Number(job.limits.max_iterations);
  const known = { rootCalls: tape.rootCalls, reply: tape.reply, maxIterations, start };
  const events = checkEvents(position, { notices, question: job.question, known });
  const limitMs = typeof job.limits.max_block_seconds === "number" ? job.limits.max_block_seconds * 1_000 : null;
  const clock = openActiveClock({ limitMs, onTime: () => interruptBlock() });
  const heartbeat = openHeartbeat({
    onMissed: () => crash(ENDED_OUTSIDE),
    inBlock: () => position.current() !== null,
  });
  const channel = answeringEnd({
    line: worker.line,
    handler: waitedFor(
      clock,
      heartbeat,
      withShape(run.shape, withPackages(worker.packages(job.packages), withConversation(tape.handle))),
    ),
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let grace;
  /** @type {Position | null} */
  let stoppedIn = null;

  /** @param {WorkerEnd} how */
  const end = (how) => {
    if (!("result" in how && how.isWhole)) worker.terminate();
    if (stop.ending() !== null) stoppedIn ??= position.current(); // the stop came before the block began
    if (stoppedIn !== null) recovery.stopIn(stoppedIn);
    tape.detach();
    channel.close();
    clock.stop();
    heartbeat.stop();
    clearTimeout(grace);
    stop.signal.removeEventListener("abort", interruptRun);
    endSignal?.removeEventListener("abort", endNow);
    resolve(how);
  };
  const endNow = () => end({ result: run.noResult(CANCELLED), isWhole: false });
  const interruptRun = () => {
    stoppedIn = position.current();
    clock.stop();
    clearTimeout(grace);
    run.stopChildren();
    channel.interrupt();
    grace = setTimeout(endNow, STOP_GRACE_MS);
  };
  const interruptBlock = () => {
    channel.interrupt(STOP_BLOCK);
    const why = `its block was at work for more than ${job.limits.max_block_seconds} s and could not be interrupted`;
    grace = setTimeout(end, BLOCK_GRACE_MS, { crash: why });
  };
  /** @param {Event & {type: "run_started"}} event */
  const began = (event) => {
    const refused = recovery.otherContext(event);
    if (refused !== null) end({ refused });
  };
  const blockEnded = () => {
    clock.stop();
    if (stop.ending() !== null) return;
    clearTimeout(grace);
    channel.acknowledged();
  };
  /**
   * @param {string} why
   * @param {string} [change]
   */
  const crash = (why, change) => (stop.ending() === null ? end({ crash: why, change }) : endNow());
  /** @param {string} text */
  const finish = (text) => end({ result: resultOf(text, run, stop.ending()), isWhole: true });
  /** @param {ToHost} message */
  const take = (message) => {
    quota.count(message.type === "events" ? message.body.length : 0);
    heartbeat.received();
    if (message.type === "request") void channel.request(message);
    else if (message.type === "ack") channel.ack(message);
    else if (message.type === "ahead") run.ahead(message);
    else if (message.type === "heartbeat") return;
    else if (message.type === "events") events.take(message.body);
    else if (message.type === "finished") finish(message.result);
    else if (message.type === "failed" && message.stage === HEALTH_STAGE)
      crash(`its block ${message.error}`, message.error);
    else throw channelError(message.type === "failed" ? message.error : `unexpected message ${message.type}`);
  };

  run.begin();
  stop.begin();
  position.begin({ began, started: clock.start, finished: blockEnded });
  worker.listen({ lost: crash, message: guarded(take, crash) });
  stop.signal.addEventListener("abort", interruptRun, { once: true });
  endSignal?.addEventListener("abort", endNow, { once: true });
  if (stop.ending() !== null) interruptRun();
  // Contexts are copied, not transferred: the next worker needs them too.
  worker.post({ type: "start", epoch: worker.epoch, job: { ...job, past: position.blocks() } }, []);
  heartbeat.begin();
}

/**
 * `handler`, with the clock of the block halted while the block waits for it.
 * @param {ReturnType<typeof openActiveClock>} clock
 * @param {ReturnType<typeof openHeartbeat>} heartbeat
 * @param {Handler} handler
 * @returns {Handler}
 */
function waitedFor(clock, heartbeat, handler) {
  return async (body, answer, data) => {
    clock.pause();
    heartbeat.waitBegins();
    try {
      await handler(body, answer, data);
    } finally {
      clock.resume();
      heartbeat.waitEnds();
    }
  };
}

/**
 * `take`, with a fault of the worker reported to `crash`.
 * @template M
 * @param {(message: M) => void} take
 * @param {(why: string) => void} crash
 * @returns {(message: M) => void}
 */
function guarded(take, crash) {
  return (message) => {
    try {
      take(message);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      crash(error.message);
    }
  };
}
