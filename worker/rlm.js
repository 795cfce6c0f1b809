// @ts-check
// RLM: the public face. A question and a context in, an answer out; everything else of worker/ is behind it.
//
// In: options and callbacks of the caller, checked by name. Out: the result; on the way iterations, sub-calls, events.
// Types for TypeScript users are in rlm.d.ts.

import { checkedEngine } from "./boot/engine_check.js";
import { chosenPackages } from "./boot/packages.js";
import { loadAssets, validatorUrl } from "./boot/runtime.js";
import { fetchWith } from "./calls/headers.js";
import { openDestinations, providerDestinations, recentList } from "./egress/destinations.js";
import { reenter } from "./egress/egress.js";
import { openLedger } from "./egress/ledger.js";
import { keptContext, openJournal } from "./log/journal.js";
import { described } from "./log/kept_contexts.js";
import { checksOf } from "./log/number_check.js";
import {
  checkedEarlier,
  checkedEntryOptions,
  checkedQuestionOptions,
  checkedRunOptions,
} from "./options/call_options.js";
import { executionOf } from "./options/execution.js";
import { checkReadable, jobOf, noticesOf } from "./options/job.js";
import { childListener, entryListeners, listeners } from "./options/listeners.js";
import { OPTION_NAMES, checkedSettings } from "./options/settings.js";
import { windowNotices } from "./options/window.js";
import { readResumed } from "./recovery/resume.js";
import { openFork } from "./replay/fork.js";
import { openReplay } from "./replay/replay.js";
import { unrecorded } from "./run/console.js";
import { checkPrices } from "./run/price_check.js";
import { restoredTurn } from "./run/restored_turn.js";
import { openSession } from "./run/session.js";
import { runTree } from "./run/tree.js";
import { checkedQuotes } from "./source_view.js";
import { inSlices } from "./time/time_slices.js";
import { configError } from "./wire/errors.js";

/**
 * @typedef {import("./wire/protocol.js").Event} Event
 * @typedef {import("./options/settings.js").Settings} Settings
 * @typedef {import("./wire/protocol.js").StartJob} StartJob
 * @typedef {import("./rlm.d.ts").RLMOptions} RLMOptions
 * @typedef {import("./rlm.d.ts").RLMResult} RLMResult
 * @typedef {import("./rlm.d.ts").RLMRunOptions} RLMRunOptions
 */

export { provideAssets } from "./boot/asset_source.js";
export { expectRun, keepableSnapshot, openPool } from "./boot/pool.js";
export { deleteRun, listRuns, readRun } from "./log/journal.js";
export { shownSource, sourceTables, sourceText } from "./source_view.js";
export { jsonText } from "./wire/json.js";

export class RLM {
  /** @type {Settings} */
  #settings;

  /** @param {RLMOptions} [options] a ConfigError names the one that is impossible */
  constructor(options = {}) {
    this.#settings = checkedSettings(options, import.meta.url);
  }

  /**
   * Answer `prompt` over `context`. Rejects with ConfigError or ChannelError when nothing could run; each other ending
   * has a result.
   * @param {string} prompt the question; without a context it is the context as well
   * @param {RLMRunOptions} [options]
   * @returns {Promise<RLMResult>}
   */
  async run(prompt, options) {
    const began = performance.now();
    const settings = this.#settings;
    const checked = checkedRunOptions(options, OPTION_NAMES);
    const { context, schema, direct, signal, onChild, resume, replay, fork, idempotencyKey } = checked;
    const resumed = resume ? readResumed(resume) : null;
    const made = fork !== undefined ? openFork(fork) : replay !== undefined ? openReplay(replay) : null;
    const ledger = ledgerOf(settings);
    const isNew = [resume, replay, fork].every((log) => log === undefined);
    const plain = await withPackages(settings, await jobOf(settings, prompt, context, { schema, direct }));
    const wanted = isNew ? await withWindows(plain, settings, ledger) : plain;
    const kept = resumed !== null && context === undefined ? await keptContext(settings.journal) : [];
    const continuedJob = continued({ ...wanted, contexts: kept.length > 0 ? kept : wanted.contexts }, resumed);
    const told = made?.job(continuedJob) ?? continuedJob;
    const job = replay === undefined ? await withSight(told, ledger) : told;
    await checkReadable(job);
    if (replay === undefined) await checkCost(settings, job);
    const { onEvent, onCall } = listeners(settings);
    const journal = replay === undefined ? await journalOf(settings, job, { resumed, kept, onEvent, signal }) : null;
    const heard = { onEvent: made?.watched(onEvent) ?? onEvent, onCall, ...childListener(onChild, made?.onChild) };
    const from = { journal, resumed, idempotencyKey, source: made?.source, end: made?.end };
    const notices = [...noticesOf(context), ...(isNew ? await newNotices(settings, job, ledger) : [])];
    const run = { job, signal, notices, listeners: heard, ledger, ...from, ...hosted(settings) };
    if (replay !== undefined) run.allowUnknownPrice = true; // nothing is paid
    const finished = await runTree(run);
    const result = made?.close(finished.result) ?? finished.result;
    return toResult({ ...finished, result }, performance.now() - began);
  }

  /**
   * Several questions over one REPL: variables live on from one to the next. Close it when it is done.
   * @param {{earlier?: readonly import("./rlm.d.ts").RLMEarlierQuestion[]}} [options] `earlier` questions, before a reload
   */
  session(options) {
    return new RLMSession(this.#settings, checkedEarlier(options, OPTION_NAMES));
  }
}

class RLMSession {
  #settings;
  #session = openSession();
  #ledger;
  #isRunning = false;
  /** Questions that are not restored yet. */
  #earlier;

  /**
   * @param {Settings} settings
   * @param {readonly import("./rlm.d.ts").RLMEarlierQuestion[]} earlier
   */
  constructor(settings, earlier) {
    this.#settings = settings;
    this.#ledger = ledgerOf(settings);
    this.#earlier = [...earlier];
  }

  /**
   * As `RLM.run`; without a context the one before stays. One question at a time. Where the worker died, or
   * did not heed a stop, a fresh one goes through the earlier questions again, answered from their record: no model is
   * asked, and blocks that were stopped or killed their worker are left out. Rejects with a ChannelError after `close`.
   * @param {string} prompt
   * @param {Pick<RLMRunOptions, "context" | "schema" | "direct" | "signal" | "onChild" | "resume">} [options]
   * @returns {Promise<RLMResult>}
   */
  async run(prompt, options) {
    const { context, schema, direct, signal, onChild, resume } = checkedQuestionOptions(options, OPTION_NAMES);
    const resumed = resume ? readResumed(resume) : null;
    const began = performance.now();
    return this.#alone(async () => {
      const asked = await this.#jobOf(prompt, context, { schema, direct });
      const settings = questionSettings(this.#settings, asked);
      const kept = resumed !== null && context === undefined ? await keptContext(settings.journal) : [];
      const plain = continued({ ...asked, contexts: kept.length > 0 ? kept : asked.contexts }, resumed);
      const wanted = resumed === null ? await withWindows(plain, settings, this.#ledger) : plain;
      const job = await withSight(wanted, this.#ledger);
      await checkReadable(job);
      await checkCost(this.#settings, job);
      const heard = { ...listeners(this.#settings), ...childListener(onChild) };
      const journal = await journalOf(settings, job, { resumed, kept, onEvent: heard.onEvent, signal });
      const own = { session: this.#session, ledger: this.#ledger, journal, resumed };
      const notices = [...noticesOf(context), ...(await newNotices(this.#settings, job, this.#ledger))];
      const run = { job, signal, notices, listeners: heard, ...own, ...hosted(this.#settings) };
      return toResult(await runTree(run), performance.now() - began);
    });
  }

  /**
   * Run code of the person's own in the REPL, between two questions: no model is called, and later questions find its
   * variables. Where the worker is gone, a fresh one goes through the earlier questions and entries first.
   * @param {string} code
   * @param {{signal?: AbortSignal}} [options] a stop ends the code alone
   */
  async execute(code, options) {
    return this.#entered(code, { ...checkedEntryOptions(code, options, OPTION_NAMES), isKept: true });
  }

  /** The context and the variables of the REPL. */
  async variables() {
    return (await this.#entered("pass", { isKept: false })).variables ?? [];
  }

  /**
   * @param {string} code
   * @param {{signal?: AbortSignal, isKept: boolean}} how a kept entry is one of those that a fresh worker goes through
   */
  #entered(code, { signal, isKept }) {
    return this.#alone(async () => {
      const job = { ...(await this.#jobOf(code, null, {})), console: true };
      const heard = entryListeners(isKept ? this.#settings : { ...this.#settings, onEvent: null });
      const options = { resumed: null, kept: [], onEvent: heard.onEvent, signal };
      const journal = isKept ? await journalOf(questionSettings(this.#settings, job), job, options) : null;
      const own = { session: isKept ? this.#session : unrecorded(this.#session), ledger: this.#ledger, journal };
      return executionOf(await runTree({ job, signal, listeners: heard, ...own, ...hosted(this.#settings) }));
    });
  }

  /**
   * One thing at a time, once the earlier questions are restored.
   * @template T
   * @param {() => Promise<T>} work
   */
  async #alone(work) {
    if (this.#isRunning) throw configError("the session is at work on a question: await it before you ask the next.");
    this.#isRunning = true;
    try {
      for (; this.#earlier.length > 0; this.#earlier.shift()) this.#session.add(await this.#restored(this.#earlier[0]));
      return await work();
    } finally {
      this.#isRunning = false;
    }
  }

  /** End it, and its worker. */
  close() {
    this.#session.close();
  }

  /**
   * The job of the next question.
   * @param {unknown} prompt
   * @param {unknown} context
   * @param {Pick<RLMRunOptions, "schema" | "direct">} shape
   */
  async #jobOf(prompt, context, shape) {
    const job = await withPackages(this.#settings, await jobOf(this.#settings, prompt, context, shape));
    return { ...job, session: this.#session.turns().length };
  }

  /**
   * An earlier question, as a turn whose state the next worker rebuilds; its calls left already.
   * @param {import("./rlm.d.ts").RLMEarlierQuestion} earlier
   */
  async #restored({ log, context, journal }) {
    const resumed = readResumed(log);
    const [started] = resumed.events;
    const question = started?.type === "run_started" ? started.question : "";
    const kept = context === undefined || context === null ? await keptContext(journal ?? null) : [];
    const asked = await this.#jobOf(question, context, {});
    const plain = continued({ ...asked, contexts: kept.length > 0 ? kept : asked.contexts }, resumed);
    const job = await withSight(plain, this.#ledger);
    await checkReadable(job);
    this.#ledger.add(job.contexts);
    reenter(this.#ledger, resumed.events).catch(() => {}); // the next call reports a context that fails
    return restoredTurn({ resumed, job, validator: await validatorUrl(this.#settings.assets) });
  }
}

/** @param {Settings} settings */
function ledgerOf({ endpoint, provider, headers }) {
  if (provider !== null) return openLedger({ destinations: providerDestinations(provider) });
  const destinations = openDestinations(endpoint, (list) => recentList(list, headers, fetchWith(headers)));
  return openLedger({ destinations });
}

/**
 * The windows of the models, where the server's list tells them; the caller's own comes first.
 * @param {StartJob} job
 * @param {Settings} settings
 * @param {ReturnType<typeof openLedger>} ledger
 * @returns {Promise<StartJob>}
 */
async function withWindows(job, { isWindowChosen }, { destinations }) {
  const { model, sub_model } = job;
  const root = isWindowChosen ? null : await destinations.windowTokens(model);
  const sub = sub_model === null && isWindowChosen ? null : await destinations.windowTokens(sub_model ?? model);
  const limits = root === null ? job.limits : { ...job.limits, window_tokens: root };
  return { ...job, limits, sub_window_tokens: sub };
}

/**
 * Whether the sub model is known to take images, so that the prompt offers them.
 * @param {StartJob} job
 * @param {ReturnType<typeof openLedger>} ledger
 * @returns {Promise<StartJob>}
 */
async function withSight(job, { destinations }) {
  return { ...job, sub_images: (await destinations.takesImages(job.sub_model ?? job.model)) === true };
}

/**
 * A notice where the root model is one that searches or browses at its vendor.
 * @param {StartJob} job
 * @param {ReturnType<typeof openLedger>} ledger
 */
async function toolNotices({ model }, { destinations }) {
  if (!(await destinations.hasTools(model))) return [];
  const subject = model === null ? "The server's default model" : `The model "${model}"`;
  return [`${subject} searches or browses the web at its vendor, with what it is shown.`];
}

/**
 * Notices of a run that begins anew.
 * @param {Settings} settings
 * @param {StartJob} job
 * @param {ReturnType<typeof openLedger>} ledger
 */
async function newNotices({ isWindowChosen }, job, ledger) {
  const { destinations } = ledger;
  const isListed = (await destinations.windowTokens(job.model)) !== null;
  const takesImages = (await destinations.takesImages(job.model)) !== false;
  const known = isWindowChosen ? "chosen" : isListed ? "listed" : "assumed";
  return [...(await toolNotices(job, ledger)), ...windowNotices(job, { known, takesImages })];
}

/**
 * The options of a tree that are the same for each of its runs.
 * @param {Settings} settings
 */
function hosted(settings) {
  const { endpoint, provider, headers, assets, host, containment, overlap } = settings;
  const { functions, allowedModels, allowUnknownPrice, keepImages, onEgress } = settings;
  const hosting = { endpoint, provider, headers, assets, host, containment, overlap };
  return { hosting, functions, allowedModels, allowUnknownPrice, keepImages, onEgress: onEgress ?? null };
}

/**
 * `job` with the packages that the option names, and those that they need.
 * @param {Settings} settings
 * @param {StartJob} job
 * @returns {Promise<StartJob>}
 */
async function withPackages({ packages, assets, host }, job) {
  if (packages === null || packages.length === 0) return job;
  return { ...job, packages: await chosenPackages(packages, await loadAssets(assets, host)) };
}

/** Refuse a limit of cost that cannot be kept. */
async function checkCost(
  /** @type {Settings} */ { endpoint, provider, headers, allowUnknownPrice },
  /** @type {StartJob} */ { limits, model, sub_model },
) {
  if (limits.max_cost === null || allowUnknownPrice || provider !== null) return; // its first reply has a cost, or not
  await checkPrices(endpoint, [model, sub_model ?? model], fetchWith(headers));
}

/**
 * @param {import("./run/types.d.ts").FinishedRun} finished
 * @param {number} milliseconds
 * @returns {Promise<RLMResult>}
 */
async function toResult({ result, trajectory, events, egress, ...parts }, milliseconds) {
  const { answer, iterations, usage, stopped_by: stoppedBy, detail, fault, value: valueJson, evidence } = result;
  const totalTime = Math.round(milliseconds);
  const [usageByPath, usageFromRecord] = [parts.usageByPath(), parts.usageFromRecord()];
  const used = { usage, usageByPath, usageFromRecord, usageOfCompaction: parts.usageOfCompaction() };
  const value = valueJson === null ? null : JSON.parse(valueJson);
  const checks = await inSlices(checksOf(result, events));
  const checked = { value, valueJson, evidence: evidence.map(evidenceOf), checks };
  return { answer, ...checked, iterations, totalTime, ...used, egress, stoppedBy, detail, fault, trajectory };
}

/**
 * Evidence of a log in the spelling of results.
 * @param {import("./wire/protocol.js").Evidence} evidence
 * @returns {import("./rlm.d.ts").RLMEvidence}
 */
export function evidenceOf({ byte_start: byteStart, byte_end: byteEnd, checked_by: checkedBy, ...own }) {
  return { ...own, byteStart, byteEnd, checkedBy };
}

/**
 * Quotes looked for in a context, as those of a run are; no model is called.
 * @param {import("./rlm.d.ts").RLMQuote[]} quotes
 * @param {import("./rlm.d.ts").RLMSourceOptions} options
 */
export async function checkEvidence(quotes, options) {
  return (await checkedQuotes(quotes, options)).map(evidenceOf);
}

/**
 * What this page's engine gives: its name, containment and channel, from a worker that boots and ends.
 * @param {Pick<RLMOptions, "assets" | "host">} [options]
 */
export async function checkEngine(options) {
  const { assets, host } = checkedSettings(options ?? {}, import.meta.url);
  return checkedEngine(assets, host);
}

/**
 * A resumed run has the question, the models with their options, the schema, the limits and the kind of its log.
 * @param {StartJob} job
 * @param {import("./recovery/types.d.ts").ResumedLog | null} resumed
 * @returns {StartJob}
 */
function continued(job, resumed) {
  const first = resumed?.events[0];
  if (first?.type !== "run_started") return job;
  const { question, model, sub_model, model_options, sub_model_options, schema, direct, console, limits } = first;
  const models = { model, sub_model, model_options, sub_model_options };
  return { ...job, question, ...models, schema, direct, console, limits: { ...job.limits, ...limits } };
}

/**
 * @param {Settings} settings
 * @param {StartJob} job
 * @param {{resumed: import("./recovery/types.d.ts").ResumedLog | null, kept: import("./wire/protocol.js").JobContext[],
 *   onEvent: (event: Event) => void, signal?: AbortSignal}} run
 */
async function journalOf({ journal, keepContext, keepLog, systemPrompt }, job, { resumed, kept, onEvent, signal }) {
  const { question, model, sub_model } = job;
  if (journal === null || journal === false) return null;
  const name = typeof journal === "string" ? journal : crypto.randomUUID();
  const options = { model, subModel: sub_model, systemPrompt, session: job.session, console: job.console };
  /** @param {string} text */
  const onNotice = (text) => onEvent({ type: "notice", seq: 0, path: [], seconds: 0, code: null, text });
  const contexts = kept.map(described);
  const run = { name, question, began: Date.now(), options, contexts, given: job.contexts.map(described) };
  const opened = await openJournal(run, { lines: resumed?.lines, onNotice, signal, keepsLog: keepLog });
  if (keepContext && kept.length === 0) void opened.keep(job.contexts);
  return opened;
}

/**
 * Each question of a session has a journal; a name is the first one's, and later ones have a number behind it.
 * @param {Settings} settings
 * @param {StartJob} job
 * @returns {Settings}
 */
function questionSettings(settings, { session }) {
  const { journal } = settings;
  return typeof journal === "string" && session ? { ...settings, journal: `${journal}.${session + 1}` } : settings;
}
