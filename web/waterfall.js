// @ts-check
/**
 * The waterfall of a run: a line for each iteration on one scale of time, with what the model, the code and its calls took,
 * and what they cost. In: the run. Out: a table, drawn when it is opened; the calls of an iteration when that is.
 */

import { html, useState } from "/vendor/preact.mjs";
import { count, duration, plural } from "./format.js";
import { Paged } from "./strip.js";
import { cost } from "./usage.js";

/** @typedef {import("./types/run.js").CallView} CallView */
/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {{kind: "model" | "code" | "call", start: number, end: number}} Bar seconds since the run began */

const MOST_BARS = 60;
const LEAST_PERCENT = 0.25;

/** @param {{run: RunView}} props */
export function Waterfall({ run }) {
  const [isOpen, setOpen] = useState(false);
  const toggle = (/** @type {Event} */ { target }) => setOpen(target instanceof HTMLDetailsElement && target.open);
  if (run.iterations.length === 0) return null;
  return html`<details class="waterfall" id="waterfall" onToggle=${toggle}>
    <summary>Time and cost of each iteration</summary>
    ${isOpen && html`<${Lines} run=${run} />`}
  </details>`;
}

/** @param {{run: RunView}} props */
function Lines({ run }) {
  const last = /** @type {IterationView} */ (run.iterations.at(-1));
  const whole = run.totalSeconds ?? endOf(last, (performance.now() - run.startedAt) / 1000);
  return html`<p class="legend muted"><i class="model"></i> model <i class="code"></i> code <i class="call"></i> calls of the code; the whole width is ${duration(whole)}</p>
    <ol class="waterfall-lines" aria-label="Iterations on one scale of time">
      ${run.iterations.map((iteration) => html`<${Line} key=${iteration.iteration} iteration=${iteration} whole=${whole} version=${iteration.version} />`)}
    </ol>`;
}

/** @param {{iteration: IterationView, whole: number}} props */
function Line({ iteration, whole }) {
  const [isOpen, setOpen] = useState(false);
  const calls = callsOf(iteration);
  const { known, unpriced } = iteration.cost;
  const paid = unpriced > 0 ? (known > 0 ? `${cost(known)} and unknown` : "unknown") : cost(known);
  const end = endOf(iteration, whole);
  return html`<li>
    <button type="button" class="waterfall-line" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="number"><span class="visually-hidden">Iteration </span>${iteration.iteration}</span>
      <${Track} bars=${barsOf(iteration, end)} whole=${whole} />
      <span class="facts">${duration(Math.max(0, end - iteration.startedAt))} · ${paid}${calls.length > 0 && ` · ${plural(calls.length, "call")}`}</span>
    </button>
    ${
      isOpen &&
      (calls.length === 0
        ? html`<p class="muted">Its code made no calls.</p>`
        : html`<${Paged} items=${calls} row=${(/** @type {CallView} */ call, /** @type {number} */ at) => html`<${CallLine} key=${call.call} call=${call} number=${at + 1} whole=${whole} />`} />`)
    }
  </li>`;
}

/** @param {{call: CallView, number: number, whole: number}} props */
function CallLine({ call, number, whole }) {
  const bar = { kind: /** @type {const} */ ("call"), start: call.startedAt, end: call.startedAt + call.seconds };
  const ended = call.state === "done" ? duration(call.seconds) : call.state;
  return html`<li class="waterfall-call"><span class="number">${count(number)}</span>
    <${Track} bars=${[bar]} whole=${whole} />
    <span class="facts">${ended}${call.kind !== "tool" && call.state === "done" && ` · ${cost(call.cost)}`}</span></li>`;
}

/** @param {{bars: readonly Bar[], whole: number}} props */
function Track({ bars, whole }) {
  return html`<span class="track" aria-hidden="true">${bars.map(({ kind, start, end }) => {
    const left = percent(start, whole);
    const width = Math.max(LEAST_PERCENT, percent(end, whole) - left);
    return html`<i class=${kind} style=${{ left: `${left}%`, width: `${Math.min(width, 100 - left)}%` }}></i>`;
  })}</span>`;
}

/** @param {number} seconds @param {number} whole */
function percent(seconds, whole) {
  return whole <= 0 ? 0 : Math.max(0, Math.min(100 - LEAST_PERCENT, (100 * seconds) / whole));
}

/** @param {IterationView} iteration @param {number} now */
function endOf({ startedAt, seconds }, now) {
  return seconds === null ? Math.max(now, startedAt) : startedAt + seconds;
}

/**
 * The model until the first block, each block, and the calls within, those that overlap as one.
 * @param {IterationView} iteration
 * @param {number} end
 * @returns {Bar[]}
 */
function barsOf(iteration, end) {
  const { blocks, startedAt } = iteration;
  const code = blocks.map(({ startedAt: start, observation }) => ({
    kind: /** @type {const} */ ("code"),
    start,
    end: observation === null ? end : Math.min(end, start + observation.seconds),
  }));
  const model = { kind: /** @type {const} */ ("model"), start: startedAt, end: blocks[0]?.startedAt ?? end };
  return [model, ...code, ...joined(callsOf(iteration))];
}

/**
 * @param {readonly CallView[]} calls
 * @returns {Bar[]} at most `MOST_BARS`: beyond them one stands for all
 */
function joined(calls) {
  /** @type {Bar[]} */
  const bars = [];
  for (const { startedAt: start, seconds } of [...calls].sort((one, other) => one.startedAt - other.startedAt)) {
    const last = bars.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, start + seconds);
    else bars.push({ kind: "call", start, end: start + seconds });
  }
  const [first, end] = [bars[0], bars.at(-1)];
  return first && end && bars.length > MOST_BARS ? [{ ...first, end: end.end }] : bars;
}

/** Calls of the code itself; those of child runs are with these. @param {IterationView} iteration */
function callsOf({ blocks }) {
  return blocks.flatMap(({ subCalls, toolCalls }) => [...subCalls.calls, ...toolCalls.calls]);
}
