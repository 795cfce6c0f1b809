// @ts-check
// Life: one worker of a run, from `start` to its end or its death.
//
// In: a ready worker, the run that it works for, and its job. Out: how it ended. What it sends is untrusted: whatever it
// does wrong is its death.

import { openActiveClock } from "../time/active_clock.js";
import { withPackages } from "../boot/packages.js";
import { answeringEnd } from "../wire/channel.js";
import { resultOf } from "./result.js";
import { ENDED_OUTSIDE, channelError } from "../wire/errors.js";
import { BLOCK_GRACE_MS, STOP_BLOCK, STOP_GRACE_MS } from "../wire/protocol.js";
import { openPulse } from "./heartbeat.js";
import { CANCELLED } from "./stop.js";
import { watchEvents } from "./event_check.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").ToHost} ToHost
 * @typedef {import("../boot/pool.js").StartedWorker} BootedWorker
 * @typedef {import("./run.js").Run} Run
 * @typedef {import("./run.js").RunOptions} RunOptions
 * @typedef {{result: RunResult, isWhole: boolean} | {death: string} | {refused: Error}} LifeEnd how one worker of a run
 *   ended; one that is whole is still there
 */

/**
 * One worker, from `start` to its end or its death.
 * @param {BootedWorker} worker
 * @param {Run} run
 * @param {Pick<RunOptions, "job" | "end">} options
 * @param {string} [notice]
 * @returns {Promise<LifeEnd>}
 */
export function drive(worker, run, options, notice = "") {
  return new Promise((resolve) => driven(worker, run, { ...options, notice }, resolve));
}

/**
 * @param {BootedWorker} worker
 * @param {Run} run
 * @param {Pick<RunOptions, "job" | "end"> & {notice: string}} options
 * @param {(end: LifeEnd) => void} resolve called once
 */
function driven(worker, run, { job, end: endSignal, notice }, resolve) {
  const { stop, place, tape } = run;
  const known = { rootCalls: tape.rootCalls, reply: tape.reply, maxIterations: Number(job.limits.max_iterations) };
  const watch = watchEvents(place, { notice, question: job.question, known });
  const limitMs = typeof job.limits.max_block_seconds === "number" ? job.limits.max_block_seconds * 1_000 : null;
  const clock = openActiveClock({ limitMs, onTime: () => interruptBlock() });
  const pulse = openPulse({ onSilence: () => lost(ENDED_OUTSIDE), inBlock: () => place.current() !== null });
  const handler = waitedFor(clock, pulse, withPackages(worker.packages, tape.handle));
  const channel = answeringEnd({ line: worker.line, handler });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let grace;
  /** @type {import("../recovery/position.js").Place | null} */
  let stopped = null;

  const end = (/** @type {LifeEnd} */ how) => {
    if (!("result" in how && how.isWhole)) worker.terminate();
    if (stopped !== null) run.stoppedIn(stopped);
    tape.detach();
    channel.close();
    clock.stop();
    pulse.stop();
    clearTimeout(grace);
    stop.signal.removeEventListener("abort", interruptRun);
    endSignal?.removeEventListener("abort", endNow);
    resolve(how);
  };
  const endNow = () => end({ result: run.noResult(CANCELLED), isWhole: false });
  const interruptRun = () => {
    stopped = place.current();
    clock.stop();
    clearTimeout(grace);
    run.children.stop();
    channel.interrupt();
    grace = setTimeout(endNow, STOP_GRACE_MS);
  };
  const interruptBlock = () => {
    channel.interrupt(STOP_BLOCK);
    const why = `its block was at work for more than ${job.limits.max_block_seconds} s and could not be interrupted`;
    grace = setTimeout(end, BLOCK_GRACE_MS, { death: why });
  };
  const began = (/** @type {Event & {type: "run_started"}} */ event) => {
    const refused = run.otherContext(event);
    if (refused !== null) end({ refused });
  };
  const blockEnded = () => {
    clock.stop();
    if (stop.ending() !== null) return;
    clearTimeout(grace);
    channel.acknowledged();
  };
  const lost = (/** @type {string} */ death) =>
    end(stop.ending() === null ? { death } : { result: run.noResult(CANCELLED), isWhole: false });
  const take = (/** @type {ToHost} */ message) => {
    run.count(message.type === "events" ? message.body.length : 0);
    pulse.heard();
    if (message.type === "request") void channel.request(message);
    else if (message.type === "ack") channel.ack(message);
    else if (message.type === "heartbeat") return;
    else if (message.type === "events") watch.take(message.body);
    else if (message.type === "finished") end(finishedWith(message.result));
    else throw channelError(message.type === "failed" ? message.error : `unexpected message ${message.type}`);
  };

  const finishedWith = (/** @type {string} */ text) => ({
    result: resultOf(text, run.recorder.seconds(), stop.ending()),
    isWhole: true,
  });

  run.begin();
  stop.begin();
  place.begin({ began, started: clock.start, finished: blockEnded });
  worker.listen({ lost, message: guarded(take, lost) });
  stop.signal.addEventListener("abort", interruptRun, { once: true });
  endSignal?.addEventListener("abort", endNow, { once: true });
  if (stop.ending() !== null) interruptRun();
  // Contexts are copied, not transferred: the next worker needs them too.
  worker.post({ type: "start", epoch: worker.epoch, job: { ...job, past: place.blocks() } }, []);
  pulse.begins();
}

/**
 * `handler`, with the clock of the block halted while the block waits for it.
 * @param {ReturnType<typeof openActiveClock>} clock
 * @param {ReturnType<typeof openPulse>} pulse
 * @param {import("../wire/channel.js").Handler} handler
 * @returns {import("../wire/channel.js").Handler}
 */
function waitedFor(clock, pulse, handler) {
  return async (body, answer, data) => {
    clock.pause();
    pulse.asked();
    try {
      await handler(body, answer, data);
    } finally {
      clock.resume();
      pulse.answered();
    }
  };
}

/**
 * `take`, with what the worker did wrong told by `lost`.
 * @template M
 * @param {(message: M) => void} take
 * @param {(why: string) => void} lost
 * @returns {(message: M) => void}
 */
function guarded(take, lost) {
  return (message) => {
    try {
      take(message);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      lost(error.message);
    }
  };
}

export function noticeOf(/** @type {BootedWorker} */ { start, inFrame, ready: { level, reason, transport, seconds } }) {
  const contained = `containment: ${level}${reason && ` (${reason})`}`;
  const worker = `worker ready in ${seconds.toFixed(2)} s${inFrame ? ", in a frame" : ""}`;
  return `${worker}; ${contained}; channel: ${transport}; start: ${start}`;
}
