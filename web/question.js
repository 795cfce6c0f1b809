// @ts-check
/**
 * The question box, and the two buttons of a run. In: `state`. Out: changes to `state`, calls of `onRun`, `onDirect` and `onStop`.
 */

import { html } from "/vendor/preact.mjs";
import { BeforeRun } from "./before_run.js";
import { DirectOffer } from "./direct.js";
import { ProblemNotice } from "./errors.js";
import { fieldValue } from "./fields.js";
import { changed, isRunning, state } from "./state.js";

export function QuestionField() {
  const problem = state.problems.question;
  const input = (/** @type {Event} */ event) => {
    state.question = fieldValue(event);
    state.problems.question = null;
    changed();
  };
  return html`<div class="field question">
    <label for="question">Question</label>
    <textarea id="question" rows="3" value=${state.question} onInput=${input}
      placeholder="What do you want to know?"
      aria-invalid=${problem ? "true" : undefined}
      aria-describedby=${problem ? "question-problem" : undefined}></textarea>
    ${problem && html`<${ProblemNotice} problem=${problem} id="question-problem" />`}
  </div>`;
}

/**
 * Both buttons are always there, so that focus is never lost when a run begins or ends.
 *
 * @param {{onRun: () => void, onDirect: () => void, onStop: () => void}} props
 */
export function RunButtons({ onRun, onDirect, onStop }) {
  const isQueued = state.isQueued;
  const running = isRunning() || isQueued;
  const isStopping = isRunning() && state.run?.stopping;
  return html`<div class="run-buttons">
    <button type="button" id="run" class="primary" aria-disabled=${String(running)} onClick=${onRun}>Run</button>
    <button type="button" id="stop" class="stop" aria-disabled=${String(!running)} onClick=${onStop}>
      ${isStopping ? "Stopping …" : "Stop"}</button>
    ${isQueued && html`<span role="status" id="queued">Queued: begins when “${state.looking}” is looked through.</span>`}
    <span class="muted keys">${
      running ? html`<kbd>Esc</kbd> stops and keeps what there is` : html`<kbd>Ctrl</kbd> <kbd>Enter</kbd> runs`
    }</span>
    <${BeforeRun} />
    <${DirectOffer} onAsk=${onDirect} />
  </div>`;
}
