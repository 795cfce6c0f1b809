// @ts-check
/**
 * What the page shows, in one object, and when to draw it again: at most once per animation frame, however much
 * changed.
 *
 * In: changes to `state`, each followed by `changed()`. Out: one call of the listener per frame. Nothing is kept here
 * after the tab closes; see settings.js for what is.
 */

import { defaultLimits } from "./limits.js";

/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {import("./context.js").Attachment} Attachment */

export const state = {
  question: "",
  /** Context typed or pasted into the box. */
  typed: "",
  /** The folder that is being looked through; "" when none is. */
  looking: "",
  attachments: /** @type {Attachment[]} */ ([]),
  settings: /** @type {import("./settings.js").Settings} */ ({
    model: "",
    subModel: "",
    ...defaultLimits(),
    asksFirst: false,
    keepContext: false,
  }),
  catalogue: /** @type {import("./models.js").Catalogue | null} */ (null),
  samples: /** @type {import("./samples.js").Sample[]} */ ([]),
  problems: {
    question: /** @type {Problem | null} */ (null),
    context: /** @type {Problem | null} */ (null),
    models: /** @type {Problem | null} */ (null),
    browser: /** @type {Problem | null} */ (null),
    recording: /** @type {Problem | null} */ (null),
    fork: /** @type {Problem | null} */ (null),
  },
  run: /** @type {import("./types/run.js").RunView | null} */ (null),
  asking:
    /** @type {{request: import("./confirm.js").EgressRequest, answer: (said: "allow" | "deny") => void} | null} */ (
      null
    ),
  unfinished: /** @type {import("/rlm/log/journal.js").KeptRun[]} */ ([]),
};

/** Whether a run is under way on this page; one that is only played is not. */
export function isRunning() {
  return state.run !== null && state.run.recorded === null && state.run.phase !== "finished";
}

let listener = () => {};
let isDue = false;

/** @param {() => void} draw */
export function onChange(draw) {
  listener = draw;
}

/** Draw soon. A hidden tab has no animation frames: a timer stands in, so that what it shows is never far behind. */
export function changed() {
  if (isDue) return;
  isDue = true;
  if (document.hidden) setTimeout(drawNow, 500);
  else requestAnimationFrame(drawNow);
}

function drawNow() {
  isDue = false;
  listener();
}
