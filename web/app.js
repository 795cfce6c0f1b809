// @ts-check
/**
 * The page. In: the form, or a call of `ask` by a program that drives the page. Out: runs, shown as they
 * happen. This file starts and stops runs and puts the parts together; each part is one module.
 */

import { RLM } from "/rlm/rlm.js";
import { html, render } from "/vendor/preact.mjs";
import { ASSETS, ENDPOINT } from "./address.js";
import { Outcome, trajectoryOf } from "./answer.js";
import { ConfirmDialog } from "./confirm.js";
import { contextValue, describeContext } from "./context.js";
import { ContextField, takeDrops } from "./context_field.js";
import { EarlierTurns, FollowUp, openConversation } from "./conversation.js";
import { Egress } from "./egress.js";
import { EMPTY_QUESTION, INSECURE, NO_BLOCKING, ProblemNotice, SERVER_GONE, explain } from "./errors.js";
import { History, HistoryLimit, loadHistory, openHistory, titleOf } from "./history.js";
import { wrongLimit } from "./limits.js";
import { wrongModelOption } from "./model_options.js";
import { fetchModels, isServerSilent, loadModels } from "./models.js";
import { Notices } from "./notices.js";
import { QuestionField, RunButtons } from "./question.js";
import { playRecording } from "./recorded.js";
import { RecordingBanner, RecordingField, loadRecordingOfAddress } from "./recording_field.js";
import { applyChild, applyEvent, finishRun, newRun } from "./run.js";
import { fetchSamples } from "./samples.js";
import { schemaOf } from "./schema_field.js";
import { SettingsPanel, modelProblem, restoreSettings, runOptions, servedLimits } from "./settings.js";
import { changed, isRunning, onChange, state } from "./state.js";
import { Announcer, Status } from "./status.js";
import { Timeline } from "./timeline.js";
import { Unfinished, isFollowUp, isKept, loadUnfinished } from "./unfinished.js";

/** @typedef {import("./types/run.js").RLMResult} RLMResult */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("./types/run.js").Remedy} Remedy */
/** @typedef {import("/rlm/rlm.js").RLMOptions & import("/rlm/rlm.js").FromLog & {signal?: AbortSignal}} AskOptions */

const SERVER_CHECK_MS = 30_000;

let stopping = new AbortController();
/** Of the last run of the form; its REPL lives until the next one begins. @type {import("./conversation.js").Conversation | null} */
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
    const rlm = session ?? new RLM({ endpoint: ENDPOINT, assets: ASSETS, ...chosen, onEvent: shown });
    const onChild = (/** @type {import("./types/run.js").RLMChild} */ child) => applyChild(run, child);
    const from = session ? {} : { resume, replay, fork };
    const { schema } = replay || resume ? { schema: undefined } : schemaOf(state.settings.schema);
    const job = { context: value ?? undefined, schema, direct, signal: stop, onChild, ...from };
    const result = await rlm.run(question, job);
    // the server may be another by now, and the day's budget is smaller
    if (result.fault !== null || state.catalogue?.budget) void loadModels();
    finishRun(run, { result, problem: null });
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

/** @param {unknown} error */
async function problemOf(error) {
  if (error instanceof Error && error.name === "ReplayError") return explain(error); // no server has a part in it
  return (await isServerGone()) ? SERVER_GONE : explain(error);
}

/** Whether the server is the cause of a failure: a request decides. */
async function isServerGone() {
  return !("models" in (await fetchModels()));
}

/**
 * @param {import("./types/run.js").RunView} run
 * @param {((event: RunEvent) => void) | undefined} onEvent
 */
function follow(run, onEvent) {
  return (/** @type {RunEvent} */ event) => {
    applyEvent(run, event);
    changed();
    onEvent?.(event);
  };
}

/**
 * The Run button, or that of a direct call: faults of the form, and a server that is gone, are shown beside it; later ones
 * by `ask`.
 * @param {{direct?: boolean}} [how]
 */
async function runFromForm({ direct } = {}) {
  if (isRunning() || isRefused()) return;
  if (state.looking !== "") return queueRun();
  await checkServer();
  if (state.problems.server !== null || isRunning()) return;
  closeConversation();
  const options = { ...runOptions(), ...keepingOptions() };
  try {
    conversation = openConversation(options);
    await ask({ question: state.question, options, direct, session: conversation });
    state.followable = state.run;
  } catch (error) {
    console.error(error); // the page has explained it already; this is for developers
  }
  changed();
}

/** The next question of the conversation, over the context and the variables that its REPL holds. */
async function askNext() {
  const { followable, followUp } = state;
  if (isRunning() || conversation === null || followable === null || followUp.trim() === "") return;
  Object.assign(state, { turns: [...state.turns, followable], followUp: "" });
  try {
    await ask({ question: followUp, context: null, options: { keepLog: true }, session: conversation });
  } catch (error) {
    console.error(error); // explained on the page already
  }
  state.followable = state.run;
  changed();
}

/** End the REPL of the conversation, if there is one; its runs are among the earlier ones. */
function closeConversation() {
  conversation?.close();
  conversation = null;
  Object.assign(state, { turns: [], followable: null, followUp: "" });
}

/** Run as soon as the context is whole; Stop takes it back. */
function queueRun() {
  state.isQueued = true;
  changed();
}

/** Begin a queued run once its folder is read; called after each change. */
function runQueued() {
  if (!state.isQueued || state.looking !== "") return;
  state.isQueued = false;
  void runFromForm();
}

/** Ask the server whether it is there, and show it where it is not. */
async function checkServer() {
  const isGone = await isServerSilent();
  if (isGone === (state.problems.server !== null)) return;
  state.problems.server = isGone ? SERVER_GONE : null;
  changed();
  if (!isGone && state.catalogue === null) await loadModels();
}

/** Watch an idle page's server: whether it is there is said before a run, not by one. */
function watchServer() {
  const check = () => !document.hidden && !isRunning() && void checkServer();
  setInterval(check, SERVER_CHECK_MS);
  addEventListener("focus", check);
  document.addEventListener("visibilitychange", check);
}

/** Whether a field forbids the run: its problem is shown there, and it takes the focus. */
function isRefused() {
  const models = modelProblem();
  const limit = wrongLimit(state.settings, servedLimits());
  const { modelOptions, subModelOptions } = state.settings;
  const option = wrongModelOption({ model: modelOptions, subModel: subModelOptions });
  const { why: wrongSchema } = schemaOf(state.settings.schema);
  if (state.question.trim() === "") {
    state.problems.question = EMPTY_QUESTION;
    focusOn("question");
  } else if (models) focusOn(models.field === "model" ? "model" : "sub-model");
  else if (option) focusOnOption(option);
  else if (limit) focusOnLimit(limit.name);
  else if (wrongSchema !== "") focusOnSchema();
  else return false;
  changed();
  return true;
}

function focusOnSchema() {
  document.getElementById("schema-field")?.setAttribute("open", "");
  focusOn("schema");
}

/** A run of the form is kept in this browser, its context by choice. */
function keepingOptions() {
  return { journal: true, keepLog: true, keepContext: state.settings.keepContext };
}

/** Show as much as there is of a run that cannot continue. @param {import("/rlm/log/journal.js").KeptRun} kept @param {string} log */
function showUnfinished(kept, log) {
  playRecording(log, { name: kept.question, changed: new Date(kept.began), isKept: true, isFollowUp: true });
}

/** Show an earlier run, whole. @param {import("/rlm/log/journal.js").EndedRun} run @param {string} log */
function openKept(run, log) {
  playRecording(log, { name: titleOf(run), changed: new Date(run.began), isKept: true, isFollowUp: isFollowUp(run) });
  document.getElementById("outcome")?.scrollIntoView({ block: "start" });
}

/**
 * @param {import("/rlm/log/journal.js").KeptRun} kept
 * @param {string} log
 */
async function continueRun(kept, log) {
  const { name, question } = kept;
  try {
    await ask({
      question,
      context: isKept(kept) ? null : undefined,
      options: { journal: name, keepLog: true, resume: log },
    });
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
 */
async function forkRun(run, iteration) {
  const fork = { log: trajectoryOf(run), iteration };
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

function stopRun() {
  if (state.isQueued) {
    state.isQueued = false;
    changed();
  }
  if (!state.run || !isRunning()) return;
  state.run.stopping = true;
  stopping.abort();
  changed();
}

/** @type {Readonly<Record<Remedy, () => void>>} */
const REMEDIES = {
  run: () => void runFromForm(),
  models: () => focusOn("model"),
  question: () => focusOn("question"),
  limits: () => focusOnLimit("maxIterations"),
  reload: () => location.reload(),
};

/** @param {Remedy} remedy */
function remedied(remedy) {
  REMEDIES[remedy]();
}

/** @param {{panel: string, field: string}} option */
function focusOnOption({ panel, field }) {
  document.getElementById(panel)?.setAttribute("open", "");
  focusOn(field);
}

/** @param {string} name */
function focusOnLimit(name) {
  document.getElementById("limits")?.setAttribute("open", "");
  focusOn(`limit-${name}`);
}

/** @param {string} id */
function focusOn(id) {
  document.getElementById(id)?.focus();
}

function App() {
  const { run, problems } = state;
  return html`<div class="columns ${run ? "has-run" : ""}">
    <form class="ask" aria-label="Ask" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      ${problems.browser && html`<${ProblemNotice} problem=${problems.browser} id="browser-problem" />`}
      <${QuestionField} />
      <${ContextField} />
      <${SettingsPanel} />
      <${RunButtons} onRun=${() => void runFromForm()} onDirect=${() => void runFromForm({ direct: true })} onStop=${stopRun} />
      ${problems.server && !isRunning() && html`<${ProblemNotice} problem=${problems.server} id="server-problem" onRemedy=${remedied} />`}
    </form>
    <div class="outcome-column" id="outcome">
      ${!isRunning() && html`<${Unfinished} onContinue=${continueRun} onShow=${showUnfinished} />`}
      ${run ? html`<${RunSheet} run=${run} />` : html`<${Introduction} />`}
      ${!isRunning() && html`<${HistoryLimit} /><${History} onOpen=${openKept} /><${RecordingField} />`}
    </div>
    <${ConfirmDialog} />
    <${Announcer} run=${run} />
  </div>`;
}

/** @param {{run: import("./types/run.js").RunView}} props */
function RunSheet({ run }) {
  const { recorded } = run;
  const isAlone = recorded ? !recorded.isFollowUp && recorded.system === null : state.turns.length === 0;
  const canFork = run.phase === "finished" && isAlone;
  return html`
    ${recorded && html`<${RecordingBanner} recorded=${recorded} />`}
    <${EarlierTurns} />
    <h2 class="asked" id="asked">${run.question}</h2>
    <p class="asked-of muted">Asked ${run.contextSummary}${run.isDirect && ", in one direct call"}${run.model && `, answered by ${run.model}`}</p>
    ${state.problems.fork && html`<${ProblemNotice} problem=${state.problems.fork} id="fork-problem" />`}
    <${Status} run=${run} />
    <${Notices} run=${run} />
    <${Outcome} run=${run} onRemedy=${recorded ? undefined : remedied} />
    <${FollowUp} onAsk=${() => void askNext()} />
    <${Egress} run=${run} />
    <${Timeline} run=${run} onFork=${canFork ? (/** @type {number} */ iteration) => void forkRun(run, iteration) : undefined} />`;
}

function Introduction() {
  return html`<section class="introduction" aria-label="How it works">
    <p class="lead">Ask a question over a text of any size.</p>
    <ol>
      <li>Python starts in this tab, and your context is put into it. It is not uploaded anywhere.</li>
      <li>A model that cannot see the context writes code that looks at it, cuts it up, and puts small questions about
        the pieces to a model. Every step is shown as it happens; only the text of these calls leaves the tab.</li>
      <li>It ends with an answer, or with the best there is when you stop it or a limit is reached.</li>
    </ol>
  </section>`;
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (state.asking) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void (event.target instanceof HTMLElement && event.target.id === "follow-up" ? askNext() : runFromForm());
  } else if (event.key === "Escape" && (isRunning() || state.isQueued)) {
    event.preventDefault();
    stopRun();
  }
}

/** A worker waits for a model either on shared memory or by JSPI; a tab without both cannot run. */
function canBlock() {
  return typeof SharedArrayBuffer === "function" || "Suspending" in WebAssembly;
}

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  root.replaceChildren(); // the sentence that the page has not started
  const draw = () => render(html`<${App} />`, root);
  restoreSettings();
  if (!isSecureContext) state.problems.browser = INSECURE;
  else if (!canBlock()) state.problems.browser = NO_BLOCKING;
  onChange(() => {
    draw();
    runQueued();
  });
  draw();
  watchServer();
  document.addEventListener("keydown", onKey);
  addEventListener("beforeunload", (event) => isRunning() && event.preventDefault());
  takeDrops();
  await Promise.all([loadModels(), loadSamples(), openHistory().then(loadUnfinished), loadRecordingOfAddress()]);
}

async function loadSamples() {
  state.samples = await fetchSamples();
  changed();
}

void start();
