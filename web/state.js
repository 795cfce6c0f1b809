// @ts-check
/**
 * State of the page in one object, and its redrawing: at most once per animation frame, however much
 * changed.
 *
 * In: changes to `state`, each followed by `changed()`. Out: one call of the listener per frame. Nothing is kept here
 * after the tab closes; settings.js and the journal keep the rest.
 */

import { defaultLimits } from "./limits.js";

/** @type {import("./types/state.js").PageState} */
export const state = {
  question: "",
  typed: "",
  looking: "",
  looked: 0,
  isQueued: false,
  attachments: [],
  wanted: [],
  settings: {
    model: "",
    subModel: "",
    allowedModels: [],
    named: [],
    modelOptions: {},
    subModelOptions: {},
    ...defaultLimits(),
    asksFirst: false,
    schema: "",
    keepContext: false,
    keepImages: false,
    historyMegabytes: 500,
    answeredBy: "stand-in",
    baseURL: "",
    vendorModel: "",
    vendorSubModel: "",
    endpoint: "",
  },
  catalogue: null,
  samples: [],
  problems: {
    question: null,
    context: null,
    models: null,
    browser: null,
    recording: null,
    fork: null,
    server: null,
    history: null,
  },
  run: null,
  asking: null,
  unfinished: [],
  history: [],
  turns: [],
  followable: null,
  followUp: "",
  conversation: null,
  historySaid: "",
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

/** Draw soon. A hidden tab has no animation frames: a timer stands in, so that it is never far behind. */
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
