// @ts-check
/**
 * Runs of the page, as its buttons begin and end them. In: the form, or a call of `ask` by a program that drives the page. Out: runs begun,
 * continued, forked and stopped, and the conversation that they belong to; their view is in `state`. Draws nothing.
 */

import { RLM } from "/rlm/rlm.js";
import { ASSETS } from "./address.js";
import { answering } from "./answering.js";
import { contextValue, describeContext } from "./context.js";
import { clearConsole, isConsoleBusy, showEntries } from "./console_entries.js";
import { openConversation } from "./conversation.js";
import { explain } from "./errors.js";
import { loadHistory, titleOf } from "./history.js";
import { trajectoryOf } from "./log_file.js";
import { loadModels } from "./models.js";
import { playRecording } from "./recorded.js";
import { focusOnContext, isRefused } from "./refusal.js";
import { conversationOf, earlierOf, entryLogsOf, firstOf, keptConversation, viewsOf } from "./reopened.js";
import { checkServer, problemOf } from "./server_watch.js";
import { applyChild, applyEvent, finishRun, newRun } from "./run.js";
import { schemaOf } from "./schema_field.js";
import { runOptions } from "./settings.js";
import { COUNT_MS, changed, drawAtOnce, isRunning, progressed, state } from "./state.js";
import { isFollowUp, isKept, loadUnfinished } from "./unfinished.js";
import { otherContext } from "./wanted.js";

/** @typedef {import("./types/run.js").RLMResult} RLMResult */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("/rlm/rlm.js").RLMOptions & import("/rlm/rlm.js").FromLog & {signal?: AbortSignal}} AskOptions */

let stopping = new AbortController();
/** Of the last run of the form; its REPL lives until the next one begins. Null after a reload, until a question reopens it. @type {import("./conversation.js").Conversation | null} */
let conversation = null;

/**
 * Answer `question` on this page, for the Run button and for programs alike.
 *
 * @param {{question: string, context?: import("/rlm/rlm.js").RLMRunOptions["context"], options?: AskOptions,
 *   direct?: boolean, session?: import("./conversation.js").Conversation}} job `context` is the page's own when left out;
 *   `options` are those of `RLM`, a `signal` that stops the run, and the log of a run to `resume`, `replay` or `fork`; they
 *   win over the page's settings, which are left out where a log holds the choice; in a `session`, those of the session hold; `direct`: one call over the whole context
 * @returns {Promise<RLMResult>} rejects as `RLM.run` does, after the page has explained it
 */
export async function ask({ question, context, options = {}, direct, session }) {
  if (isRunning()) throw new Error("A run is under way on this page: stop it first, or wait for its end.");
  const value = context === undefined ? contextValue(state.typed, state.attachments) : context;
  const { signal, resume, replay, fork, onEvent, ...rest } = options;
  const chosen = replay || fork ? rest : { ...runOptions(), ...rest };
  const before = session ? state.followable : null;
  const run = before
    ? newRun(question, before.context, before.contextSummary)
    : newRun(question, value, summaryOf(value));
  stopping = new AbortController();
  if (!session) closeConversation();
  Object.assign(state, before ? { run } : { question, run });
  state.problems.fork = null;
  changed();
  bringIntoView();
  const stop = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal;
  try {
    const shown = follow(run, onEvent);
    if (session) session.onEvent = shown;
    const rlm = session ?? new RLM({ ...answering(), assets: ASSETS, ...chosen, onEvent: shown });
    const onChild = (/** @type {import("./types/run.js").RLMChild} */ child) => applyChild(run, child);
    const from = session ? { resume } : { resume, replay, fork };
    const { schema } = replay || resume ? { schema: undefined } : schemaOf(state.settings.schema);
    const job = { context: value ?? undefined, schema, direct, signal: stop, onChild, ...from };
    const result = await rlm.run(question, job);
    // the server may be another by now, and the day's budget is smaller
    if (result.fault !== null || state.catalogue?.budget) void loadModels();
    finishRun(run, { result, problem: null });
    drawAtOnce();
    if (options.keepLog) void loadHistory();
    return result;
  } catch (error) {
    finishRun(run, { problem: await problemOf(error) });
    throw error;
  } finally {
    changed();
  }
}

/** @param {unknown} value */
function summaryOf(value) {
  return value === null ? "without a context" : `of ${describeContext(value)}`;
}

/** On one column the run is below the form: its state comes into view. */
function bringIntoView() {
  if (!matchMedia("(max-width: 60rem)").matches) return;
  requestAnimationFrame(() => document.getElementById("outcome")?.scrollIntoView({ block: "start" }));
}

/**
 * @param {import("./types/run.js").RunView} run
 * @param {((event: RunEvent) => void) | undefined} onEvent
 */
function follow(run, onEvent) {
  return (/** @type {RunEvent} */ event) => {
    applyEvent(run, event);
    progressed(COUNTED.includes(event.type) ? COUNT_MS : undefined);
    onEvent?.(event);
  };
}

/** Types of events that change a number on the page. @type {readonly RunEvent["type"][]} */
const COUNTED = ["call_started", "egress", "call_finished"];

/**
 * The Run button, or that of a direct call: faults of the form, and a server that is gone, are shown beside it; later ones
 * by `ask`.
 * @param {{direct?: boolean}} [how]
 */
export async function runFromForm({ direct } = {}) {
  if (isRunning() || isRefused()) return;
  if (state.looking !== "") return queueRun();
  await checkServer();
  if (state.problems.server !== null || isRunning()) return;
  closeConversation();
  const name = crypto.randomUUID();
  const options = { ...runOptions(), ...keepingOptions(), journal: name };
  try {
    conversation = openConversation(options);
    state.conversation = name;
    await ask({ question: state.question, options, direct, session: conversation });
    state.followable = state.run;
  } catch (error) {
    console.error(error); // the page has explained it already; this is for developers
  }
  changed();
}

/** The next question of the conversation, over the context and the variables that its REPL holds. */
export async function askNext() {
  const { followable, followUp, turns } = state;
  if (isRunning() || isConsoleBusy() || followable === null || followUp.trim() === "") return;
  if (conversation === null && !(await reopen())) return;
  if (isRunning()) return; // asked already, by another press
  Object.assign(state, { turns: [...turns, followable], followUp: "" });
  const session = /** @type {import("./conversation.js").Conversation} */ (conversation);
  try {
    await ask({ question: followUp, context: null, options: { keepLog: true }, session });
  } catch (error) {
    console.error(error); // explained on the page already
    if (session.isRestored && error instanceof Error && error.name === "ConfigError")
      return takeBack({ turns, followable, followUp }, error);
  }
  state.followable = state.run;
  changed();
}

/** The session of the shown conversation, for its console. @returns {Promise<import("./conversation.js").Conversation | null>} null where it cannot be reopened: the form says why */
export async function shownSession() {
  return conversation !== null || (await reopen()) ? conversation : null;
}

/** Ends with the reopening that is under way: one session restores the questions, however often it is asked for. @type {Promise<boolean> | null} */
let reopening = null;

/** Open a session that restores the questions before the reload. @returns {Promise<boolean>} whether it has their context */
function reopen() {
  reopening ??= reopened().finally(() => {
    reopening = null;
  });
  return reopening;
}

async function reopened() {
  const kept = state.conversation === null ? null : await keptConversation(state.conversation);
  if (kept === null) {
    focusOnContext(INCOMPLETE);
    return false;
  }
  const first = firstOf(kept);
  const value = isKept(first) ? null : contextValue(state.typed, state.attachments);
  const other = isKept(first) ? null : otherContext(first.given, value);
  if (other) {
    state.wanted = other.wanted;
    focusOnContext(other.problem);
    return false;
  }
  Object.assign(state.problems, { context: null });
  const options = { ...runOptions(), ...keepingOptions(), journal: kept.name };
  conversation = openConversation(options, await earlierOf(kept, value));
  if (value !== null && state.followable) state.followable.context = value;
  return true;
}

/** @type {import("./types/run.js").Problem} */
const INCOMPLETE = {
  title: "The conversation cannot be continued.",
  cause: "An earlier question of it is not in this browser any more.",
  action: "Press Run to begin a new one.",
};

/**
 * The conversation could not be restored: the question goes back into its box.
 * @param {Pick<typeof state, "turns" | "followable" | "followUp">} before
 * @param {Error} error
 */
function takeBack({ turns, followable, followUp }, error) {
  conversation?.close();
  conversation = null;
  Object.assign(state, { turns, followable, followUp, run: followable });
  focusOnContext({
    ...explain(error),
    title: "The conversation was not continued.",
    action: "Give its context again, then ask once more.",
  });
}

/** Show a conversation of this browser; its next question restores it. @param {string} name */
export async function showConversation(name) {
  const kept = await keptConversation(name);
  if (kept === null || kept.ended.length === 0 || isRunning() || state.run !== null) return;
  const [views, logs] = await Promise.all([viewsOf(kept), entryLogsOf(kept)]);
  const run = views.at(-1) ?? null;
  Object.assign(state, { run, followable: kept.open ? null : run, turns: views.slice(0, -1), conversation: name });
  showEntries(logs);
  changed();
}

/** Show, in place of an earlier run, the conversation that it is of. @param {string} name */
export function reopenKept(name) {
  closeConversation();
  state.run = null;
  void showConversation(name);
}

/** Without its last question, which was cut off, the conversation can continue. @param {import("/rlm/log/journal.js").KeptRun} run */
export function discarded(run) {
  if (state.conversation !== null && conversationOf(run) === state.conversation) state.followable = state.run;
}

/** End the REPL of the conversation, if there is one; its runs are among the earlier ones. */
function closeConversation() {
  conversation?.close();
  conversation = null;
  clearConsole();
  Object.assign(state, { turns: [], followable: null, followUp: "", conversation: null });
}

/** Run as soon as the context is whole; Stop takes it back. */
function queueRun() {
  state.isQueued = true;
  changed();
}

/** Begin a queued run once its folder is read; called after each change. */
export function runQueued() {
  if (!state.isQueued || state.looking !== "") return;
  state.isQueued = false;
  void runFromForm();
}

/** A run of the form is kept in this browser, its context by choice. */
function keepingOptions() {
  return { journal: true, keepLog: true, keepContext: state.settings.keepContext };
}

/** Show as much as there is of a run that cannot continue. @param {import("/rlm/log/journal.js").KeptRun} kept @param {string} log */
export function showUnfinished(kept, log) {
  playRecording(log, { name: kept.question, changed: new Date(kept.began), isKept: true, isFollowUp: true });
}

/** Show an earlier run, whole. @param {import("/rlm/log/journal.js").EndedRun} run @param {string} log */
export function openKept(run, log) {
  const conversation = conversationOf(run);
  playRecording(log, {
    name: titleOf(run),
    changed: new Date(run.began),
    isKept: true,
    isFollowUp: isFollowUp(run),
    conversation,
  });
  document.getElementById("outcome")?.scrollIntoView({ block: "start" });
}

/**
 * Continue a run that was cut off; one of a conversation over the REPL of the questions before it.
 * @param {import("/rlm/log/journal.js").KeptRun} kept
 * @param {string} log
 */
export async function continueRun(kept, log) {
  const { name, question } = kept;
  const base = conversationOf(kept);
  const value = isKept(kept) || isFollowUp(kept) ? null : contextValue(state.typed, state.attachments);
  const other = isKept(kept) || isFollowUp(kept) ? null : otherContext(kept.given, value);
  if (other) {
    state.wanted = other.wanted;
    focusOnContext(other.problem);
    return loadUnfinished();
  }
  try {
    if (base === null || (await keptConversation(base)) === null) {
      const options = { journal: name, keepLog: true, resume: log };
      await ask({ question, context: value ?? (isKept(kept) ? null : undefined), options });
      return;
    }
    closeConversation();
    state.run = null;
    await showConversation(base);
    state.conversation = base;
    const { run } = state;
    if (!(await reopen())) return await loadUnfinished();
    if (run) state.turns = [...state.turns, run];
    state.followable = run;
    await ask({
      question,
      context: value,
      options: { keepLog: true, resume: log },
      session: conversation ?? undefined,
    });
    state.followable = state.run;
    changed();
  } catch (error) {
    console.error(error); // explained on the page already
    await loadUnfinished();
  }
}

/**
 * Go on from an iteration of a run that is over, with the question, the models and the context that the form holds now.
 *
 * @param {import("./types/run.js").RunView} run
 * @param {number} iteration
 * @param {string[]} [code] of the person, in place of the reply
 */
export async function forkRun(run, iteration, code) {
  const fork = { log: trajectoryOf(run), iteration, code };
  const question = state.question.trim() || run.question;
  try {
    await ask({ question, options: { ...runOptions(), ...keepingOptions(), fork } });
  } catch (error) {
    console.error(error);
    if (!(error instanceof Error && ["ReplayError", "ConfigError"].includes(error.name))) return; // explained as any run's
    const { cause } = explain(error);
    const action = "Put the context of the recorded run into the form, or change what is named, and fork again.";
    state.problems.fork = { title: "The run was not forked.", cause, action };
    state.run = run; // no model was called: the run can still be forked
    changed();
  }
}

export function stopRun() {
  if (state.isQueued) {
    state.isQueued = false;
    changed();
  }
  if (!state.run || !isRunning()) return;
  state.run.stopping = true;
  stopping.abort();
  changed();
}
