// @ts-check
/**
 * The page. In: the form and the runs of `state`. Out: what is drawn. Puts the parts together; each part is one module.
 */

import { expectRun } from "/rlm/rlm.js";
import { html, render, useMemo } from "/vendor/preact.mjs";
import { ASSETS } from "./address.js";
import { Outcome } from "./answer.js";
import { expectAnswering } from "./answering.js";
import { ConfirmDialog } from "./confirm.js";
import { ContextField, takeDrops } from "./context_field.js";
import { pythonNodes } from "./code.js";
import { Console } from "./console.js";
import { EarlierTurns, FollowUp } from "./conversation.js";
import { Egress } from "./egress.js";
import { keepDraft, restoreDraft, writeDraft } from "./draft.js";
import { INSECURE, ProblemNotice, engineProblem } from "./errors.js";
import { Example } from "./example.js";
import { History, HistoryLimit, openHistory } from "./history.js";
import { Introduction } from "./introduction.js";
import { markdownNodes } from "./markdown.js";
import { loadModels } from "./models.js";
import { Notices } from "./notices.js";
import { QuestionField, RunButtons } from "./question.js";
import { focusOn, focusOnLimit } from "./refusal.js";
import { RecordingBanner, RecordingField, loadRecordingOfAddress } from "./recording_field.js";
import { watchServer } from "./server_watch.js";
import { fetchSamples } from "./samples.js";
import { SourceButtons } from "./source_buttons.js";
import { SourceDialog } from "./source_dialog.js";
import { SettingsPanel, restoreSettings } from "./settings.js";
import { changed, edition, isRunning, onChange, state } from "./state.js";
import { Announcer, Status } from "./status.js";
import { tellTab } from "./tab_title.js";
import { Timeline } from "./timeline.js";
import { Unfinished, loadUnfinished } from "./unfinished.js";
import {
  askNext,
  continueRun,
  discarded,
  forkRun,
  openKept,
  reopenKept,
  runFromForm,
  runQueued,
  showConversation,
  showUnfinished,
  shownSession,
  stopRun,
} from "./asking.js";

export { ask } from "./asking.js";

/** @typedef {import("./types/run.js").Remedy} Remedy */

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

function App() {
  const { run, problems } = state;
  // the form shows nothing of a run's progress
  const form = useMemo(() => html`<${Form} problems=${problems} />`, [edition()]);
  return html`<div class="columns ${run ? "has-run" : ""}">
    ${form}
    <div class="outcome-column" id="outcome">
      ${!isRunning() && html`<${Unfinished} onContinue=${continueRun} onShow=${showUnfinished} onDiscarded=${discarded} />`}
      ${run ? html`<${RunSheet} run=${run} />` : html`<${Introduction} />`}
      ${!isRunning() && html`<${HistoryLimit} /><${History} onOpen=${openKept} /><${RecordingField} />`}
    </div>
    <${ConfirmDialog} />
    <${SourceDialog} />
    <${Announcer} run=${run} />
  </div>`;
}

/** @param {{problems: import("./types/state.js").PageState["problems"]}} props */
function Form({ problems }) {
  return html`<form class="ask" aria-label="Ask" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    ${problems.browser && html`<${ProblemNotice} problem=${problems.browser} id="browser-problem" />`}
    <${QuestionField} />
    <${Example} onRun=${() => void runFromForm()} />
    <${ContextField} />
    <${SettingsPanel} />
    <${RunButtons} onRun=${() => void runFromForm()} onDirect=${() => void runFromForm({ direct: true })} onStop=${stopRun} />
    ${problems.server && !isRunning() && html`<${ProblemNotice} problem=${problems.server} id="server-problem" onRemedy=${remedied} />`}
  </form>`;
}

/** @param {{run: import("./types/run.js").RunView}} props */
function RunSheet({ run }) {
  const { recorded } = run;
  const isAlone = recorded ? !recorded.isFollowUp && recorded.system === null : state.turns.length === 0;
  const canFork = run.phase === "finished" && isAlone;
  return html`
    ${recorded && html`<${RecordingBanner} recorded=${recorded} onReopen=${reopenKept} />`}
    <${EarlierTurns} />
    <h2 class="asked" id="asked">${run.question}</h2>
    <p class="asked-of muted">Asked ${run.contextSummary}${run.isDirect && ", in one direct call"}${run.model && `, answered by ${run.model}`}</p>
    <${SourceButtons} run=${run} />
    ${state.problems.fork && html`<${ProblemNotice} problem=${state.problems.fork} id="fork-problem" />`}
    <${Status} run=${run} />
    <${Notices} run=${run} />
    <${Outcome} run=${run} onRemedy=${recorded ? undefined : remedied} />
    <${FollowUp} onAsk=${() => void askNext()} />
    <${Console} session=${shownSession} />
    <${Egress} run=${run} />
    <${Timeline} run=${run} onFork=${canFork ? (/** @type {number} */ iteration, /** @type {string[] | undefined} */ code) => void forkRun(run, iteration, code) : undefined} />`;
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

/** Python starts while a person types, and what draws a reply is compiled. */
function prepare() {
  void expectRun(ASSETS);
  void expectAnswering();
  (globalThis.requestIdleCallback ?? setTimeout)(expectReply);
}

/** The first use of both compiles their rules: 10 ms, which a run would wait for. */
function expectReply() {
  pythonNodes("x = 1");
  markdownNodes("x");
}

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  root.replaceChildren(); // the sentence that the page has not started
  const draw = () => render(html`<${App} />`, root);
  restoreSettings();
  restoreDraft();
  state.problems.browser = isSecureContext ? engineProblem() : INSECURE;
  onChange(() => {
    draw();
    tellTab();
    runQueued();
    keepDraft();
  });
  draw();
  watchServer();
  document.addEventListener("keydown", onKey);
  addEventListener("beforeunload", (event) => isRunning() && event.preventDefault());
  addEventListener("pagehide", writeDraft);
  document.addEventListener("input", prepare, { once: true });
  takeDrops();
  await Promise.all([loadModels(), loadSamples(), openHistory().then(loadKept), loadRecordingOfAddress()]);
}

/** The runs that were cut off, and the conversation of this tab before it was reloaded. */
async function loadKept() {
  await loadUnfinished();
  if (state.conversation !== null) await showConversation(state.conversation);
}

async function loadSamples() {
  state.samples = await fetchSamples();
  changed();
}

void start();
