// @ts-check
/**
 * The run's iterations as they happen. In: a `RunView`. Out: an ordered list; the newest iterations are open, older
 * ones fold to one line unless the person opened them, so that the page stays small however long the run.
 */

import { html, useLayoutEffect, useMemo, useRef, useState } from "/vendor/preact.mjs";
import { Block, UnrunCode } from "./block.js";
import { duration, plural } from "./format.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";
import { segments } from "./reply.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").IterationView} IterationView */

const NEWEST_OPEN = 5;
const NEAR_END_PIXELS = 200;

/** @param {{run: RunView}} props */
export function Timeline({ run }) {
  useFollowing(run);
  const { iterations } = run;
  if (iterations.length === 0) return null;
  return html`<section aria-labelledby="timeline-title">
    <h2 id="timeline-title">How it was worked out</h2>
    <ol class="timeline" id="timeline">
      ${iterations.map(
        (iteration, index) => html`<${Iteration} key=${iteration.iteration} iteration=${iteration}
          version=${iteration.version} isNew=${index >= iterations.length - NEWEST_OPEN}
          isLive=${run.phase !== "finished" && index === iterations.length - 1} />`,
      )}
    </ol>
  </section>`;
}

/** @param {{iteration: IterationView, version: number, isNew: boolean, isLive: boolean}} props */
function Iteration({ iteration, version, isNew, isLive }) {
  const [choice, setChoice] = useState(/** @type {boolean | null} */ (null));
  const isOpen = choice ?? isNew;
  return useMemo(
    () => html`<li class="iteration ${isLive ? "is-live" : ""} ${iteration.failed ? "has-error" : ""}">
      <h3><button type="button" class="iteration-head" aria-expanded=${String(isOpen)}
        onClick=${() => setChoice(!isOpen)}>
        <span class="number"><span class="visually-hidden">Iteration </span>${iteration.iteration}</span>
        <span class="gist">${gist(iteration)}</span>
        <span class="facts">${facts(iteration, isLive)}</span>
      </button></h3>
      ${isOpen && html`<div class="iteration-body">${body(iteration, isLive)}</div>`}
    </li>`,
    [version, isOpen, isLive],
  );
}

/** @param {IterationView} iteration @param {boolean} isLive */
function body(iteration, isLive) {
  if (iteration.reply === null) return isLive ? html`<p class="muted">Waiting for the root model …</p>` : null;
  return segments(iteration.reply, iteration.blocks).map(({ kind, text, block }) => {
    if (kind === "prose") return html`<${LongText} text=${whole(text)} class="prose" label="Reply" />`;
    if (!block) return html`<${UnrunCode} code=${text} isLive=${isLive} />`;
    return html`<${Block} key=${block.block} block=${block} isLive=${isLive} />`;
  });
}

/** The reply's first words, for the folded line. @param {IterationView} iteration */
function gist(iteration) {
  const first = segments(iteration.reply ?? "", [])[0];
  return first ? (first.text.split("\n", 1)[0] ?? "").slice(0, 160) : "";
}

/** @param {IterationView} iteration @param {boolean} isLive */
function facts(iteration, isLive) {
  const calls = iteration.blocks.reduce((sum, block) => sum + block.subCalls.calls.length, 0);
  const parts = [
    iteration.failed && "error",
    calls > 0 && plural(calls, "sub-call"),
    iteration.seconds === null ? isLive && "running" : duration(iteration.seconds),
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Keep the end of a growing timeline in sight, until the person scrolls away from it. @param {RunView} run */
function useFollowing(run) {
  const isFollowing = useRef(true);
  useLayoutEffect(() => {
    isFollowing.current = true;
    const watch = () => {
      isFollowing.current = innerHeight + scrollY >= document.documentElement.scrollHeight - NEAR_END_PIXELS;
    };
    addEventListener("scroll", watch, { passive: true });
    return () => removeEventListener("scroll", watch);
  }, [run]);
  useLayoutEffect(() => {
    if (!isFollowing.current) return;
    if (run.phase === "finished") document.getElementById("outcome")?.scrollIntoView({ block: "start" });
    else if (run.iterations.length > 0) scrollTo(0, document.documentElement.scrollHeight);
    if (run.phase === "finished") isFollowing.current = false;
  });
}
