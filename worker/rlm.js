// @ts-check
// RLM: the public face. A question and a context in, an answer out; everything else of worker/ is behind it.
//
// In: options and callbacks of the caller, checked by name. Out: the result; on the way iterations, sub-calls, events.
// Types for TypeScript users are in rlm.d.ts.

import { configError } from "./wire/errors.js";
import { runJob } from "./run/run.js";
import { keptContext, openJournal } from "./log/journal.js";
import { openDestinations } from "./egress/destinations.js";
import { openLedger } from "./egress/ledger.js";
import { readPast } from "./recovery/resume.js";
import { checkReadable, checkedSettings, jobOf } from "./options.js";
import { openFork } from "./replay/fork.js";
import { openRerun } from "./replay/replay.js";
import { openSession } from "./run/session.js";

/**
 * @typedef {import("./wire/protocol.js").Event} Event
 * @typedef {import("./wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("./options.js").Settings} Settings
 * @typedef {import("./wire/protocol.js").StartJob} StartJob
 * @typedef {import("./rlm.d.ts").RLMChild} RLMChild
 * @typedef {import("./rlm.d.ts").RLMCodeBlock} RLMCodeBlock
 * @typedef {import("./rlm.d.ts").RLMIteration} RLMIteration
 * @typedef {import("./rlm.d.ts").RLMOptions} RLMOptions
 * @typedef {import("./rlm.d.ts").RLMResult} RLMResult
 */

/**
 * The log that a run is made from, in one of three ways. `resume`: one that did not end goes on, over the same context;
 * one that had written nothing yet begins anew. `replay`: it is made again without a model, or rejects with a ReplayError
 * that says where it differs. `fork`: from that iteration on it goes on live.
 * @typedef {{resume?: string, replay?: string, fork?: import("./replay/fork.js").Fork}} FromLog
 */

export class RLM {
  /** @type {Settings} */
  #settings;

  /** @param {RLMOptions} [options] a ConfigError names the one that is impossible */
  constructor(options = {}) {
    this.#settings = checkedSettings(options);
  }

  /**
   * Answer `prompt` over `context`. Rejects with ConfigError or ChannelError when nothing could run; each other ending
   * has a result.
   * @param {string} prompt the question; without a context it is the context as well
   * @param {{context?: unknown, signal?: AbortSignal, onChild?: (child: RLMChild) => void} & FromLog} [options]
   *   `onChild` is told of each child run, with the function that stops it
   * @returns {Promise<RLMResult>}
   */
  async run(prompt, { context, signal, onChild, ...logs } = {}) {
    const began = performance.now();
    const past = logs.resume ? readPast(logs.resume) : null;
    const made = madeFrom(logs);
    const asked = jobOf(this.#settings, prompt, context);
    const kept = past !== null && context === undefined ? await keptContext(this.#settings.journal) : [];
    const wanted = continued({ ...asked, contexts: kept.length > 0 ? kept : asked.contexts }, past);
    const job = made?.job(wanted) ?? wanted;
    await checkReadable(job);
    const { onEvent, onCall } = listeners(this.#settings);
    const listening = { onEvent: made?.watched(onEvent) ?? onEvent, onCall, ...childListener(onChild, made?.onChild) };
    const running = { past, kept, onEvent, signal };
    const journal = logs.replay === undefined ? await journalOf(this.#settings, job, running) : null;
    const from = { log: past, ledger: ledgerOf(this.#settings), source: made?.source, end: made?.end };
    const finished = await runJob({ job, signal, journal, ...from, ...hostOptions(this.#settings), ...listening });
    const result = made?.close(finished.result) ?? finished.result;
    return toResult({ ...finished, result }, performance.now() - began);
  }

  /** Several questions over one REPL: variables live on from one to the next. Close it when it is done. */
  session() {
    return new RLMSession(this.#settings);
  }
}

class RLMSession {
  #settings;
  #session = openSession();
  #ledger;
  #isRunning = false;

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#ledger = ledgerOf(settings);
  }

  /**
   * As `RLM.run`; without a context the one before stays. One question at a time. Where the worker died, or
   * did not heed a stop, a fresh one goes through the earlier questions again, answered from their record: no model is
   * asked, and blocks that were stopped or killed their worker are left out. Rejects with a ChannelError after `close`.
   * @param {string} prompt
   * @param {{context?: unknown, signal?: AbortSignal, onChild?: (child: RLMChild) => void}} [options]
   * @returns {Promise<RLMResult>}
   */
  async run(prompt, { context, signal, onChild } = {}) {
    if (this.#isRunning) throw configError("the session is at work on a question: await it before you ask the next.");
    this.#isRunning = true;
    const began = performance.now();
    try {
      const job = { ...jobOf(this.#settings, prompt, context), session: this.#session.turns().length };
      await checkReadable(job);
      const heard = { ...listeners(this.#settings), ...childListener(onChild) };
      const own = { session: this.#session, ledger: this.#ledger };
      const told = { job, signal, ...own, ...hostOptions(this.#settings), ...heard };
      return toResult(await runJob(told), performance.now() - began);
    } finally {
      this.#isRunning = false;
    }
  }

  /** End it, and its worker. */
  close() {
    this.#session.close();
  }
}

function ledgerOf(/** @type {Settings} */ { endpoint }) {
  return openLedger({ destinations: openDestinations(endpoint) });
}

function hostOptions(
  /** @type {Settings} */ { endpoint, assets, host, containment, functions, onEgress, allowedModels },
) {
  return {
    endpoint,
    assets,
    host,
    containment,
    functions,
    onEgress,
    allowedModels,
  };
}

/**
 * @param {import("./run/run.js").FinishedRun} finished
 * @param {number} milliseconds
 * @returns {RLMResult}
 */
function toResult({ result, trajectory, usageByPath, egress }, milliseconds) {
  const { answer, iterations, usage, stopped_by: stoppedBy, detail, fault } = result;
  const totalTime = Math.round(milliseconds);
  const used = { usage, usageByPath: usageByPath(), egress };
  return { answer, iterations, totalTime, ...used, stoppedBy, detail, fault, trajectory };
}

/** A run that is made again from a log, or forked from one. */
function madeFrom(/** @type {FromLog} */ { resume, replay, fork }) {
  const given = Object.entries({ resume, replay, fork }).filter(([, log]) => log !== undefined);
  if (given.length > 1)
    throw configError(`${given.map(([name]) => name).join(" and ")} cannot be had at once: a run has one log.`);
  if (fork !== undefined) return openFork(fork);
  return replay === undefined ? null : openRerun(replay);
}

/**
 * A run that goes on has the question, the models and the limits that it began with.
 * @param {StartJob} job
 * @param {import("./recovery/resume.js").Past | null} past
 * @returns {StartJob}
 */
function continued(job, past) {
  const first = past?.events[0];
  if (first?.type !== "run_started") return job;
  const { question, model, sub_model, limits } = first;
  return { ...job, question, model, sub_model, limits: { ...job.limits, ...limits } };
}

/**
 * @param {Settings} settings
 * @param {StartJob} job
 * @param {{past: import("./recovery/resume.js").Past | null, kept: import("./wire/protocol.js").JobContext[],
 *   onEvent: (event: Event) => void, signal?: AbortSignal}} run
 */
async function journalOf({ journal, keepContext, systemPrompt }, job, { past, kept, onEvent, signal }) {
  const { question, model, sub_model } = job;
  if (journal === null || journal === false) return null;
  const name = typeof journal === "string" ? journal : crypto.randomUUID();
  const options = { model, subModel: sub_model, systemPrompt };
  const onNotice = (/** @type {string} */ text) => onEvent({ type: "notice", seq: 0, path: [], seconds: 0, text });
  const contexts = kept.map(({ name: path, type }) => ({ name: path, type }));
  const run = { name, question, began: Date.now(), options, contexts };
  const opened = await openJournal(run, { lines: past?.lines, onNotice, signal });
  if (keepContext && kept.length === 0) void opened.keep(job.contexts);
  return opened;
}

/** The caller's callbacks, fed from events and calls. */
function listeners(/** @type {Settings} */ { onIteration, onSubLLMCall, onEvent }) {
  const iterations = iterationsOf((iteration) => tell(onIteration, iteration));
  return {
    onEvent(/** @type {Event} */ event) {
      if (event.path.length === 0) iterations(event);
      tell(onEvent, event);
    },
    onCall(/** @type {"root" | "sub"} */ kind, /** @type {RequestedCall} */ { messages, model }) {
      if (kind === "sub") tell(onSubLLMCall, { prompt: messages[messages.length - 1]?.content ?? "", model });
    },
  };
}

/**
 * @param {unknown} onChild the caller's
 * @param {(child: RLMChild) => void} [replay] of a run that is made from a log
 * @returns {{onChild?: (child: RLMChild) => void}}
 */
function childListener(onChild, replay) {
  if (onChild === undefined || onChild === null) return { onChild: replay };
  if (typeof onChild !== "function") throw configError("onChild must be a function.");
  const told = (/** @type {RLMChild} */ child) => tell(/** @type {(child: RLMChild) => void} */ (onChild), child);
  return {
    onChild(child) {
      told(child);
      replay?.(child);
    },
  };
}

/** Collects the blocks of each iteration, and tells of it when it is over. */
function iterationsOf(/** @type {(iteration: RLMIteration) => void} */ told) {
  /** @type {RLMCodeBlock[]} */
  let codeBlocks = [];
  let code = "";
  return (/** @type {Event} */ event) => {
    if (event.type === "iteration_started") codeBlocks = [];
    else if (event.type === "block_started") code = event.code;
    else if (event.type === "block_finished") {
      const { stdout, value, error, seconds } = event.observation;
      codeBlocks.push({ code, stdout, value, error, seconds });
    } else if (event.type === "iteration_finished")
      told({ index: event.iteration - 1, response: event.reply, codeBlocks });
  };
}

/**
 * Call the caller's function; its fault is its own, reported as uncaught, and does not touch the run.
 * @template T
 * @param {((value: T) => void) | null} callback
 * @param {T} value
 */
function tell(callback, value) {
  try {
    callback?.(value);
  } catch (error) {
    reportError(error);
  }
}
