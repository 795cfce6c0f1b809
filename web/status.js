// @ts-check
/**
 * State of a run in one line that ticks and stays in sight, and spoken for those who listen. In: a `RunView`. Out: its
 * activity in plain words, time, cost so far, iterations, calls, tokens; while it waits for the server, a button.
 */

import { html, useEffect, useState } from "/vendor/preact.mjs";
import { activityOf } from "./activity.js";
import { count, duration, plural } from "./format.js";
import { state } from "./state.js";
import { cost } from "./usage.js";

/** @typedef {import("./types/run.js").RunView} RunView */

const TICK_MS = 1_000;
/** A timer may come a little before its time. */
const EARLY_MS = 5;

/** @param {{run: RunView}} props */
export function Status({ run }) {
  const seconds = useClock(run);
  const { iterations, counts } = run;
  const { words, tone } = activityOf(run, state.asking !== null);
  const of = run.maxIterations === null || run.phase === "finished" ? "" : ` of ${count(run.maxIterations)}`;
  const beat = Math.floor(seconds) % 2 === 0 ? "1" : "0.25";
  return html`<dl class="status ${run.phase} ${tone}" id="status" style=${{ "--beat": beat }}>
    <${Fact} name="State" value=${words} class="phase" />
    <${Fact} name="Time" value=${run.totalSeconds === null ? wholeSeconds(seconds) : duration(seconds)} />
    ${state.settings.showsPrices && html`<${Fact} name="Cost" value=${costSoFar(run)} />`}
    <${Fact} name="Iterations" value=${`${count(iterations.length)}${of}`} class="more" />
    <${Fact} name="Model calls" value=${`${count(counts.finished)}${callsExtra(run)}`} class="more" />
    <${Fact} name="Tokens in, out" value=${tokensUsed(run)} class="more" />
  </dl>
  ${run.isAway && run.phase !== "finished" && html`<${Paused} />`}`;
}

/** The run waits for the server; an attempt comes at least every five seconds, and when the browser is online again. */
function Paused() {
  const tryNow = () => dispatchEvent(new Event("online"));
  return html`<p class="paused" id="paused">
    Nothing is lost: the run continues when the server answers. It is tried every 5 s or sooner.
    <button type="button" class="small" id="try-now" onClick=${tryNow}>Try now</button></p>`;
}

/** @param {{name: string, value: string, class?: string}} props */
function Fact({ name, value, class: className = "" }) {
  return html`<div class=${className}><dt>${name}</dt><dd>${value}</dd></div>`;
}

/**
 * One sentence for screen readers.
 *
 * @param {{run: RunView | null}} props
 */
export function Announcer({ run }) {
  const said = run ? announced(run) : "";
  return html`<p class="visually-hidden" role="status" aria-live="polite" id="announcer">${said}</p>`;
}

/** @param {RunView} run */
function announced(run) {
  if (run.recorded && run.phase !== "finished") return "A recorded run is shown.";
  if (run.phase !== "finished") {
    if (state.asking) return "The run asks you whether the next calls may leave.";
    if (run.isAway) return "The run is paused: the server is not reachable.";
    return run.phase === "starting" ? "The run is starting." : `Iteration ${run.iterations.length} is under way.`;
  }
  if (run.problem) return run.recorded ? "The recording ends without an ending." : "The run failed.";
  const { words } = activityOf(run, false);
  const ending =
    run.result?.stoppedBy === "final_answer" ? "The answer is ready" : `The run is over (${words.toLowerCase()})`;
  return `${ending} after ${plural(run.iterations.length, "iteration")}.`;
}

/** @param {RunView} run */
function callsExtra({ counts, phase }) {
  const open = counts.started - counts.finished;
  const parts = [
    phase !== "finished" && open > 0 && `${count(open)} open`,
    counts.failed > 0 && `${count(counts.failed)} failed`,
    counts.denied > 0 && `${count(counts.denied)} denied`,
  ];
  const text = parts.filter(Boolean).join(", ");
  return text && ` (${text})`;
}

/** @param {number} seconds */
function wholeSeconds(seconds) {
  return seconds < 60 ? `${Math.floor(seconds)} s` : duration(Math.floor(seconds));
}

/** A model that reports no tokens did not use none. @param {RunView} run */
function tokensUsed({ tokens, counts }) {
  const isUnknown = tokens.input + tokens.output === 0 && counts.finished > counts.failed + counts.denied;
  return isUnknown ? "not reported" : `${count(tokens.input)}, ${count(tokens.output)}`;
}

/** The known part, where some calls have no price. @param {RunView} run */
function costSoFar({ cost: { known, unpriced } }) {
  if (unpriced === 0) return cost(known);
  return known > 0 ? `${cost(known)} and unknown` : "unknown";
}

/** Seconds since the run began, drawn again as each of them passes. @param {RunView} run */
function useClock(run) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (run.phase === "finished") return undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const wait = () => {
      const passed = (performance.now() - run.startedAt) % TICK_MS;
      timer = setTimeout(next, TICK_MS - passed + EARLY_MS);
    };
    const next = () => {
      tick((ticks) => ticks + 1);
      wait();
    };
    wait();
    return () => clearTimeout(timer);
  }, [run, run.phase]);
  return run.totalSeconds ?? (performance.now() - run.startedAt) / 1000;
}
