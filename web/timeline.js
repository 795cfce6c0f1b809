// @ts-check
/**
 * The run as it happens. In: a `RunView`. Out: its iterations, the newest open, kept in sight while they grow.
 */

import { html, useLayoutEffect, useRef } from "/vendor/preact.mjs";
import { Iterations } from "./iterations.js";
import { ReadingBar, onReadingKey } from "./reading_bar.js";
import { readingOf } from "./reading.js";
import { Waterfall } from "./waterfall.js";

/** @typedef {import("./types/run.js").RunView} RunView */

const NEWEST_OPEN = 5;
const NEAR_END_PIXELS = 200;

/** @param {{run: RunView, onFork?: import("./fork_actions.js").OnFork}} props */
export function Timeline({ run, onFork }) {
  useFollowing(run);
  const { iterations } = run;
  if (iterations.length === 0) return null;
  const keys = (/** @type {KeyboardEvent} */ event) => onReadingKey(run, event);
  return html`<section aria-labelledby="timeline-title" onKeyDown=${keys}>
    <h2 id="timeline-title">How it was worked out</h2>
    <${Waterfall} run=${run} />
    <${ReadingBar} run=${run} />
    <${Iterations} iterations=${iterations} isLive=${run.phase !== "finished"} newestOpen=${NEWEST_OPEN} onFork=${onFork}
      reading=${readingOf(run)}
      label="Iterations" id="timeline" />
  </section>`;
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
