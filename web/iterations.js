// @ts-check
/**
 * The iterations of one run. In: `IterationView`s. Out: an ordered list of the newest, earlier ones on request; each
 * folds to one line unless it is new or the person opened it, so that the page stays small however long the run.
 *
 * A block may hold child runs, which have iterations: block.js and child_runs.js lead back here.
 */

import { html, useMemo, useState } from "/vendor/preact.mjs";
import { Block, OpenCode, UnrunCode } from "./block.js";
import { ForkActions } from "./fork_actions.js";
import { count, duration, plural } from "./format.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";
import { PAGE, choose } from "./reading.js";
import { Reasoning } from "./reasoning.js";
import { apart, segments } from "./reply.js";
import { changed } from "./state.js";

/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./reading.js").Reading} Reading */

/**
 * @param {{iterations: readonly IterationView[], isLive: boolean, newestOpen: number, label: string, id?: string,
 *   onFork?: import("./fork_actions.js").OnFork, reading?: Reading}} props `newestOpen` of them are open unless the person
 *   folded them; `reading` of the root run, whose iterations are opened and searched from its bar
 */
export function Iterations({ iterations, isLive, newestOpen, label, id, onFork, reading }) {
  const [ownShown, setOwnShown] = useState(PAGE);
  const shown = reading?.shown ?? ownShown;
  const hidden = Math.max(0, iterations.length - shown);
  const setShown = (/** @type {number} */ many) => {
    setOwnShown(many);
    if (reading) reading.shown = many;
  };
  return html`${
    hidden > 0 &&
    html`<button type="button" class="quiet small earlier" onClick=${() => setShown(shown + PAGE)}>
      Show ${Math.min(PAGE, hidden)} earlier of ${count(iterations.length)} iterations</button>`
  }
    <ol class="timeline" id=${id} aria-label=${label}>
      ${iterations.slice(hidden).map(
        (iteration, index) => html`<${Iteration} key=${iteration.iteration} iteration=${iteration}
          version=${iteration.version} isNew=${hidden + index >= iterations.length - newestOpen}
          isLive=${isLive && hidden + index === iterations.length - 1} onFork=${onFork} reading=${reading} />`,
      )}
    </ol>`;
}

/**
 * @param {{iteration: IterationView, version: number, isNew: boolean, isLive: boolean,
 *   onFork?: import("./fork_actions.js").OnFork, reading?: Reading}} props
 */
function Iteration({ iteration, version, isNew, isLive, onFork, reading }) {
  const [ownChoice, setOwnChoice] = useState(/** @type {boolean | null} */ (null));
  const { iteration: number } = iteration;
  const isOpen = (reading ? reading.choices.get(number) : ownChoice) ?? isNew;
  const setChoice = (/** @type {boolean} */ open) => {
    setOwnChoice(open);
    if (!reading) return;
    choose(reading, number, open);
    changed();
  };
  return useMemo(
    () => html`<li id=${reading && `iteration-${number}`} class="iteration ${isLive ? "is-live" : ""} ${iteration.failed ? "has-error" : ""}">
      <h3><button type="button" class="iteration-head" aria-expanded=${String(isOpen)}
        onClick=${() => setChoice(!isOpen)}>
        <span class="number"><span class="visually-hidden">Iteration </span>${iteration.iteration}</span>
        <span class="gist">${gist(iteration)}</span>
        <span class="facts">${facts(iteration, isLive)}</span>
      </button></h3>
      ${
        isOpen &&
        html`<div class="iteration-body">${body(iteration, isLive)}
        ${onFork && html`<${ForkActions} iteration=${iteration} onFork=${onFork} />`}</div>`
      }
    </li>`,
    [version, isOpen, isLive],
  );
}

/** @param {IterationView} iteration @param {boolean} isLive */
function body(iteration, isLive) {
  const { thoughts, reply } = apart(iteration.reply ?? iteration.written);
  const reasoning = [iteration.reasoning, thoughts].filter(Boolean).join("\n\n");
  const isSilent = iteration.reply === null && reply === "";
  const isWaiting = isSilent && reasoning === "" && isLive;
  return html`${isWaiting && html`<p class="muted">Waiting for the root model …</p>`}
    <${Reasoning} text=${reasoning} isLive=${isSilent && isLive} />
    ${!isSilent && replyParts(iteration, reply, isLive)}`;
}

/** @param {IterationView} iteration @param {string} reply without its thoughts @param {boolean} isLive */
function replyParts(iteration, reply, isLive) {
  return segments(reply, iteration.blocks).map(({ kind, text, block }, index, all) => {
    if (kind === "code" && iteration.reply === null && index === all.length - 1)
      return html`<${OpenCode} code=${text} isLive=${isLive} />`;
    if (kind === "prose") return html`<${LongText} text=${whole(text)} class="prose" label="Reply" />`;
    if (!block) return html`<${UnrunCode} code=${text} isLive=${isLive} />`;
    return html`<${Block} key=${block.block} block=${block} isLive=${isLive} />`;
  });
}

/** The reply's first words, for the folded line. @param {IterationView} iteration */
function gist(iteration) {
  const first = segments(apart(iteration.reply ?? iteration.written).reply, [])[0];
  return first ? (first.text.split("\n", 1)[0] ?? "").slice(0, 160) : "";
}

/** @param {IterationView} iteration @param {boolean} isLive */
function facts({ blocks, failed, seconds }, isLive) {
  const sum = (/** @type {(block: BlockView) => number} */ of) => blocks.reduce((total, block) => total + of(block), 0);
  const counts = /** @type {const} */ ([
    ["sub-call", sum(({ subCalls }) => subCalls.calls.length)],
    ["child run", sum(({ children }) => children.length)],
    ["tool call", sum(({ toolCalls }) => toolCalls.calls.length)],
  ]);
  const parts = [
    failed && "error",
    ...counts.map(([noun, many]) => many > 0 && plural(many, noun)),
    seconds === null ? isLive && "running" : duration(seconds),
  ];
  return parts.filter(Boolean).join(" · ");
}
