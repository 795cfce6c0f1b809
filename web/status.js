// @ts-check
/**
 * Where a run stands, in one line that ticks, and spoken for those who listen. In: a `RunView`. Out: time, iterations,
 * calls, tokens, and the host's notices (transport, containment).
 */

import { html, useEffect, useState } from "/vendor/preact.mjs";
import { count, duration, plural } from "./format.js";
import { cost } from "./usage.js";

/** @typedef {import("./types/run.js").RunView} RunView */

const TICK_MS = 250;
/** @type {Readonly<Record<string, string>>} */
const ENDINGS = { Answered: "answered", Failed: "failed" };

/** @param {{run: RunView}} props */
export function Status({ run }) {
  const seconds = useClock(run);
  const { iterations, counts } = run;
  const ending = ENDINGS[phaseName(run)] ?? "";
  const of = run.maxIterations === null || run.phase === "finished" ? "" : ` of ${count(run.maxIterations)}`;
  return html`<dl class="status ${run.phase} ${ending}" id="status">
    <${Fact} name="State" value=${phaseName(run)} class="phase" />
    <${Fact} name="Time" value=${run.totalSeconds === null ? wholeSeconds(seconds) : duration(seconds)} />
    <${Fact} name="Iterations" value=${`${count(iterations.length)}${of}`} />
    <${Fact} name="Model calls" value=${`${count(counts.finished)}${callsExtra(run)}`} />
    <${Fact} name="Tokens in, out" value=${tokensUsed(run)} />
    <${Fact} name="Cost" value=${costSoFar(run)} />
  </dl>`;
}

/** @param {{name: string, value: string, class?: string}} props */
function Fact({ name, value, class: className = "" }) {
  return html`<div class=${className}><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** The host's notices, newest last. @param {{run: RunView}} props */
export function Notices({ run }) {
  if (run.notices.length === 0) return null;
  return html`<ul class="notices" aria-label="Notices">${run.notices.map((text) => html`<li>${text}</li>`)}</ul>`;
}

/**
 * One sentence for screen readers.
 *
 * @param {{run: RunView | null}} props
 */
export function Announcer({ run }) {
  const said = run ? sentence(run) : "";
  return html`<p class="visually-hidden" role="status" aria-live="polite" id="announcer">${said}</p>`;
}

/** @param {RunView} run */
function sentence(run) {
  if (run.recorded && run.phase !== "finished") return "A recorded run is shown.";
  if (run.phase === "starting") return "The run is starting.";
  if (run.phase === "running") return `Iteration ${run.iterations.length} is under way.`;
  if (run.problem) return run.recorded ? "The recording ends without an ending." : "The run failed.";
  const isFinal = run.result?.stoppedBy === "final_answer";
  const ending = isFinal ? "The answer is ready" : "The run ended without a final answer";
  return `${ending} after ${plural(run.iterations.length, "iteration")}.`;
}

/** @param {RunView} run */
function phaseName(run) {
  if (run.recorded && run.phase !== "finished") return run.recorded.isPlaying ? "Playing" : "Paused";
  if (run.phase === "starting") return run.stopping ? "Stopping" : "Starting Python";
  if (run.phase === "running") return run.stopping ? "Stopping" : "Running";
  if (run.problem) return run.recorded ? "Cut off" : "Failed";
  return run.result?.stoppedBy === "final_answer" ? "Answered" : "Ended early";
}

/** @param {RunView} run */
function callsExtra({ counts, phase }) {
  const open = counts.started - counts.finished;
  const parts = [
    phase !== "finished" && open > 0 && `${count(open)} open`,
    counts.failed > 0 && `${count(counts.failed)} failed`,
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
  const isUnknown = tokens.input + tokens.output === 0 && counts.finished > counts.failed;
  return isUnknown ? "not reported" : `${count(tokens.input)}, ${count(tokens.output)}`;
}

/** The known part, where some calls have no price. @param {RunView} run */
function costSoFar({ cost: { known, unpriced } }) {
  if (unpriced === 0) return cost(known);
  return known > 0 ? `${cost(known)} and unknown` : "unknown";
}

/** Seconds since the run began, drawn again as they pass. @param {RunView} run */
function useClock(run) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (run.phase === "finished") return undefined;
    const timer = setInterval(() => tick((ticks) => ticks + 1), TICK_MS);
    return () => clearInterval(timer);
  }, [run, run.phase]);
  return run.totalSeconds ?? (performance.now() - run.startedAt) / 1000;
}
