// @ts-check
/**
 * The child runs of one block: their states in one line, and on request a card for each, with the way to stop
 * it and its own iterations. In: `ChildView`s. A child's own requests are below it in the same form.
 */

import { html, useState } from "/vendor/preact.mjs";
import { explainEnding } from "./errors.js";
import { duration, plural } from "./format.js";
import { Iterations } from "./iterations.js";
import { LongText } from "./long_text.js";
import { NoticeText } from "./notices.js";
import { whole } from "./printed.js";
import { changed } from "./state.js";
import { Folded, Paged } from "./strip.js";
import { UsageLine } from "./usage.js";
import { childState } from "./work.js";

/** @typedef {import("./types/run.js").ChildView} ChildView */
/** @typedef {import("./types/run.js").CallState} CallState */

/** @type {Readonly<Record<CallState, string>>} */
const STATES = {
  waiting: "waiting",
  running: "running",
  done: "answered",
  failed: "failed",
  denied: "denied",
  stopped: "stopped",
};

/** @param {{runs: readonly ChildView[], isLive: boolean}} props `isLive` while their block runs */
export function ChildRuns({ runs, isLive }) {
  const states = runs.map((child) => childState(child, isLive));
  const row = (/** @type {ChildView} */ child) =>
    html`<${ChildRun} key=${child.path.join(".")} child=${child} isLive=${isLive} />`;
  const list = () => html`<div class="call-list"><${Paged} items=${runs} row=${row} /></div>`;
  return html`<${Folded} noun="child run" states=${states} isLive=${isLive} class="of-runs" list=${list} />`;
}

/** @param {{child: ChildView, isLive: boolean}} props */
function ChildRun({ child, isLive }) {
  const [isOpen, setOpen] = useState(false);
  const state = childState(child, isLive);
  const path = child.path.join(".");
  return html`<li class="call child-run ${state}">
    <button type="button" class="call-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="call-number"><span class="visually-hidden">Child run </span>${path}</span>
      <span class="call-gist">${child.question.slice(0, 200)}</span>
      <span class="call-state">${facts(child, state)}</span>
    </button>
    ${isOpen && html`<${Card} child=${child} state=${state} />`}
  </li>`;
}

/** @param {{child: ChildView, state: CallState}} props */
function Card({ child, state }) {
  const { question, model, ending, partial, path, notices } = child;
  const answer = ending?.answer || partial;
  const title = `Iterations of child run ${path.join(".")}`;
  return html`<div class="call-body">
    <p class="label">Question${model && `, to ${model}`}</p>
    <${LongText} text=${whole(question)} class="output" label="Question" />
    <${StopButton} child=${child} state=${state} />
    ${
      (state === "failed" || state === "denied") &&
      ending &&
      html`<p class="label">Why it ${state === "failed" ? "failed" : "was denied"}</p>
      <${LongText} text=${whole(whyItEnded(ending))} class="output error" label="Why it ended" />`
    }
    ${
      answer &&
      html`<p class="label">${state === "done" ? "Answer" : "Its best so far"}</p>
      <${LongText} text=${whole(answer)} class="output" label="Answer" />`
    }
    ${ending && html`<${UsageLine} usage=${ending.usage} />`}
    ${notices.map((notice) => html`<p class="label"><${NoticeText} notice=${notice} /></p>`)}
    <${Iterations} iterations=${child.iterations} isLive=${state === "running"} newestOpen=${0} label=${title} />
  </div>`;
}

/** @param {{child: ChildView, state: CallState}} props */
function StopButton({ child, state }) {
  const { stop, stopping, path } = child;
  if (stop === null || (state !== "running" && state !== "waiting")) return null;
  const press = (/** @type {Event} */ event) => {
    focusCard(/** @type {Element} */ (event.currentTarget)); // the button goes away with the run
    child.stopping = true;
    stop();
    changed();
  };
  return html`<p class="child-actions"><button type="button" class="small stop" aria-disabled=${String(stopping)}
    aria-label="Stop child run ${path.join(".")}" onClick=${press}>${stopping ? "Stopping …" : "Stop this one"}</button>
    <span class="muted">The run above it continues without its answer.</span></p>`;
}

/** @param {Element} within */
function focusCard(within) {
  const head = within.closest(".child-run")?.querySelector(".call-head");
  if (head instanceof HTMLElement) head.focus();
}

/** @param {import("./types/run.js").EventOf<"run_finished">} ending */
function whyItEnded({ stopped_by: stoppedBy, detail }) {
  const problem = explainEnding({ stoppedBy, detail, fault: null });
  return problem === null ? detail : `${problem.title} ${problem.cause}`;
}

/** @param {ChildView} child @param {CallState} state */
function facts({ iterations, startedAt, ending }, state) {
  const parts = [
    iterations.length > 0 && plural(iterations.length, "iteration"),
    ending && startedAt !== null && duration(ending.seconds - startedAt),
    STATES[state],
  ];
  return parts.filter(Boolean).join(" · ");
}
