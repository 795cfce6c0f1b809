// @ts-check
/**
 * State of the page in one object. In: changes to `state`, each followed by `changed()`, or by `progressed()` where a run
 * made it (drawing.js). Nothing is kept here after the tab closes; settings.js and the journal keep the rest.
 */

import { defaultLimits } from "./limits.js";

export { COUNT_MS, changed, drawAtOnce, edition, onChange, progressed } from "./drawing.js";

/** Every choice as it is at first. @returns {import("./settings.js").Settings} */
export function defaultSettings() {
  return {
    model: "",
    subModel: "",
    allowedModels: [],
    named: [],
    modelOptions: {},
    subModelOptions: {},
    ...defaultLimits(),
    asksFirst: false,
    notifies: false,
    schema: "",
    keepContext: false,
    keepImages: false,
    overlap: false,
    historyMegabytes: 500,
    answeredBy: "stand-in",
    baseURL: "",
    vendorModel: "",
    vendorSubModel: "",
    endpoint: "",
    theme: "system",
    showsPrices: true,
  };
}

/** @type {import("./types/state.js").PageState} */
export const state = {
  question: "",
  typed: "",
  looking: "",
  looked: 0,
  isQueued: false,
  attachments: [],
  wanted: [],
  settings: defaultSettings(),
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
