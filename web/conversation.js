// @ts-check
/**
 * A conversation: questions over one living REPL. In: the options of a run. Out: a session that reports to the run which is
 * shown; its earlier questions with their answers, and the box below the newest answer for the next one.
 */

import { RLM } from "/rlm/rlm.js";
import { html, useState } from "/vendor/preact.mjs";
import { ASSETS } from "./address.js";
import { answering } from "./answering.js";
import { Answer } from "./answer.js";
import { isConsoleBusy } from "./console_entries.js";
import { fieldValue } from "./fields.js";
import { isRunning, state } from "./state.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/** @typedef {import("/rlm/rlm.js").RLMSession} RLMSession */
/** @typedef {RLMSession & {isRestored: boolean, onEvent: (event: RunEvent) => void}} Conversation */

/** Whether a REPL lives. */
let isOpen = false;

/**
 * @param {RLMOptions} options of all its questions
 * @param {readonly import("/rlm/rlm.js").RLMEarlierQuestion[]} [earlier] questions of before a reload
 * @returns {Conversation} whose `onEvent` hears the events of the question under way
 */
export function openConversation(options, earlier = []) {
  /** @type {Conversation} */
  const conversation = {
    run: (question, runOptions) => session.run(question, runOptions),
    execute: (code, how) => session.execute(code, how),
    variables: () => session.variables(),
    close() {
      isOpen = false;
      session.close();
    },
    isRestored: earlier.length > 0,
    onEvent: () => {},
  };
  const session = new RLM({
    ...answering(),
    assets: ASSETS,
    ...options,
    onEvent: (event) => conversation.onEvent(event),
  }).session({ earlier });
  isOpen = true;
  return conversation;
}

/** Whether the REPL of the conversation lives, or will with its next use. */
export function replLives() {
  return isOpen;
}

/** Questions before the one that is shown, each with its answer. */
export function EarlierTurns() {
  if (state.turns.length === 0 || state.run?.recorded) return null;
  return html`<ol class="turns" id="turns" aria-label="Earlier in this conversation">
    ${state.turns.map((run, index) => html`<${Turn} key=${index} run=${run} />`)}
  </ol>`;
}

/** @param {{run: RunView}} props */
function Turn({ run }) {
  const [isOpen, setOpen] = useState(false);
  const answer = run.result?.answer || run.partial;
  const isFinal = run.result?.stoppedBy === "final_answer";
  return html`<li class="turn">
    <h2><button type="button" class="turn-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>${run.question}</button></h2>
    ${answer ? isOpen && html`<${Answer} text=${answer} isFinal=${isFinal} of=${run.question} />` : html`<p class="muted">It has no answer.</p>`}
  </li>`;
}

/** The box for the next question, where the REPL of the shown run lives, or can be rebuilt. @param {{onAsk: () => void}} props */
export function FollowUp({ onAsk }) {
  if (state.run === null || state.run !== state.followable || isRunning()) return null;
  const input = (/** @type {Event} */ event) => {
    state.followUp = fieldValue(event);
  };
  return html`<section class="follow-up" aria-label="Next question">
    <label for="follow-up">Ask the next question</label>
    <textarea id="follow-up" rows="2" value=${state.followUp} onInput=${input} aria-describedby="follow-up-hint"></textarea>
    <p><button type="button" class="primary" id="ask-next" disabled=${isConsoleBusy()} onClick=${onAsk}>Ask</button>
      <span class="muted" id="follow-up-hint">Over the same context. ${isOpen ? "Its variables, files and earlier answers are still there." : "Its variables are rebuilt from the record first; no model is asked for that."}</span></p>
  </section>`;
}
