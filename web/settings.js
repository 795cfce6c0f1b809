// @ts-check
/**
 * Models and limits of the next run, remembered in this browser. In: `/api/models` and what the person chose. Out:
 * `Settings`, and the options of `RLM`. Nothing of a question or a context is remembered.
 */

import { html } from "/vendor/preact.mjs";
import { ProblemNotice } from "./errors.js";
import { count, duration, plural } from "./format.js";
import { loadModels } from "./models.js";
import { changed, state } from "./state.js";

/**
 * @typedef {object} Settings
 * @property {string} model empty for the server's default
 * @property {string} subModel empty for the root model
 * @property {number | null} maxIterations
 * @property {number | null} maxSeconds `null` for no limit
 * @property {number | null} maxOutputChars
 * @property {number | null} maxErrors
 */
/** @typedef {"maxIterations" | "maxSeconds" | "maxOutputChars" | "maxErrors"} LimitName */

const KEY = "pyodide-rlm.settings";

/** @type {readonly {name: LimitName, label: string, hint: string, least: number, step: number}[]} */
const LIMITS = [
  { name: "maxIterations", label: "Iterations", hint: "replies of the root model", least: 1, step: 1 },
  { name: "maxSeconds", label: "Seconds", hint: "of the whole run; empty for no limit", least: 1, step: 1 },
  { name: "maxOutputChars", label: "Output characters", hint: "of a block, shown to the model", least: 200, step: 100 },
  { name: "maxErrors", label: "Errors in a row", hint: "before the run ends", least: 1, step: 1 },
];

/** Read what was remembered; a browser that forbids storage remembers nothing. */
export function restoreSettings() {
  const text = storage()?.getItem(KEY);
  if (text) Object.assign(state.settings, JSON.parse(text));
}

/** @param {Partial<Settings>} change */
function changeSettings(change) {
  Object.assign(state.settings, change);
  storage()?.setItem(KEY, JSON.stringify(state.settings));
  changed();
}

/** The options of `RLM` that the settings stand for; what is empty is left to its defaults. */
export function runOptions() {
  const { maxSeconds, maxIterations, maxOutputChars, maxErrors } = state.settings;
  const options = {
    model: chosenModel(),
    subModel: chosenSubModel(),
    maxIterations,
    maxOutputChars,
    maxErrors,
    maxTimeout: maxSeconds === null ? null : maxSeconds * 1000,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== ""));
}

/** The root model's id: what was chosen while the server still offers it, else its default. */
export function chosenModel() {
  const { catalogue, settings } = state;
  if (!catalogue) return settings.model;
  return catalogue.models.some((model) => model.id === settings.model) ? settings.model : catalogue.default;
}

function chosenSubModel() {
  const { catalogue, settings } = state;
  const isOffered = !catalogue || catalogue.models.some((model) => model.id === settings.subModel);
  return isOffered ? settings.subModel : "";
}

export function SettingsPanel() {
  const models = state.catalogue?.models ?? [];
  const pick = (/** @type {"model" | "subModel"} */ name) => (/** @type {Event} */ event) =>
    changeSettings({ [name]: /** @type {HTMLSelectElement} */ (event.target).value });
  return html`<div class="field settings">
    <div class="models">
      <label>Root model
        <select id="model" value=${chosenModel()} onChange=${pick("model")} disabled=${models.length === 0}>
          ${models.length === 0 && html`<option value="">none listed</option>`}
          ${models.map((model) => html`<option value=${model.id}>${model.label}</option>`)}
        </select></label>
      <label>Sub model
        <select id="sub-model" value=${chosenSubModel()} onChange=${pick("subModel")} disabled=${models.length === 0}>
          <option value="">Same as root</option>
          ${models.map((model) => html`<option value=${model.id}>${model.label}</option>`)}
        </select></label>
    </div>
    ${state.problems.models &&
    html`<${ProblemNotice} problem=${state.problems.models} id="models-problem" />
      <button type="button" class="small" id="reload-models" onClick=${loadModels}>Ask the server again</button>`}
    <${StandInNote} />
    <details class="limits" id="limits">
      <summary>Limits <span class="muted">${limitsSummary()}</span></summary>
      <div class="limit-grid">${LIMITS.map((limit) => html`<${LimitInput} key=${limit.name} limit=${limit} />`)}</div>
    </details>
  </div>`;
}

/** Says what the built-in model is, whenever it would answer. */
function StandInNote() {
  const inUse = [chosenModel(), chosenSubModel()];
  const standIn = state.catalogue?.models.find((model) => model.provider === "builtin" && inUse.includes(model.id));
  if (!standIn) return null;
  return html`<p class="stand-in" id="stand-in">
    <strong>A stand-in, not a language model.</strong> It writes fixed code and picks sentences by word ranking.
    For a real model, start the server with <code>OPENAI_API_KEY</code> or <code>ANTHROPIC_API_KEY</code> set,
    or with Ollama running.
  </p>`;
}

/** @param {{limit: typeof LIMITS[number]}} props */
function LimitInput({ limit }) {
  const id = `limit-${limit.name}`;
  const value = state.settings[limit.name];
  const input = (/** @type {Event} */ event) => {
    const text = /** @type {HTMLInputElement} */ (event.target).value;
    changeSettings({ [limit.name]: text === "" ? null : Number(text) });
  };
  return html`<div class="limit">
    <label for=${id}>${limit.label}</label>
    <input id=${id} type="number" inputmode="numeric" min=${limit.least} step=${limit.step}
      value=${value === null ? "" : String(value)} aria-describedby="${id}-hint" onInput=${input} />
    <span class="muted" id="${id}-hint">${limit.hint}</span>
  </div>`;
}

function limitsSummary() {
  const { maxIterations, maxSeconds, maxOutputChars } = state.settings;
  const time = maxSeconds === null ? "no time limit" : duration(maxSeconds);
  const iterations = maxIterations === null ? "default iterations" : plural(maxIterations, "iteration");
  return `${iterations}, ${time}${maxOutputChars === null ? "" : `, ${count(maxOutputChars)} characters`}`;
}

/** @returns {Storage | null} */
function storage() {
  try {
    return window.localStorage;
  } catch (error) {
    if (error instanceof DOMException) return null; // storage is forbidden here
    throw error;
  }
}
