// @ts-check
/**
 * Models and limits of the next run, remembered in this browser. In: `/api/models` and the person's choices. Out:
 * `Settings`, and the options of `RLM`. Nothing of a question or a context is remembered.
 */

import { html } from "/vendor/preact.mjs";
import { askPerson } from "./confirm.js";
import { ProblemNotice } from "./errors.js";
import { fieldValue } from "./fields.js";
import { LimitFields, limitOptions } from "./limits.js";
import { loadModels } from "./models.js";
import { changed, state } from "./state.js";

/** @typedef {{model: string, subModel: string, keepContext: boolean, asksFirst: boolean} & import("./limits.js").LimitValues} Settings
 * models are empty for the server's default, and for the root model; `keepContext`: in this browser, until the run ends;
 * `asksFirst` is whether the person allows each request */

const KEY = "pyodide-rlm.settings";

/** Restore the last choices; a browser that forbids storage keeps none. */
export function restoreSettings() {
  const text = storage()?.getItem(KEY);
  if (text) Object.assign(state.settings, JSON.parse(text));
}

/** @param {Partial<Settings>} change */
export function changeSettings(change) {
  Object.assign(state.settings, change);
  storage()?.setItem(KEY, JSON.stringify(state.settings));
  changed();
}

/** The options of `RLM` that the settings stand for; empty ones are left to its defaults. */
export function runOptions() {
  const models = { model: chosenModel(), subModel: chosenSubModel() };
  const chosen = Object.fromEntries(Object.entries(models).filter(([, id]) => id !== ""));
  return { ...chosen, ...limitOptions(state.settings), ...(state.settings.asksFirst ? { onEgress: askPerson } : {}) };
}

/** The root model's id: the choice while the server still offers it, else its default. */
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
    changeSettings({ [name]: fieldValue(event) });
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
    ${
      state.problems.models &&
      html`<${ProblemNotice} problem=${state.problems.models} id="models-problem" />
      <button type="button" class="small" id="reload-models" onClick=${loadModels}>Ask the server again</button>`
    }
    <${StandInNote} />
    <${LimitFields} values=${state.settings} onChange=${changeSettings} />
    <label class="check"><input type="checkbox" id="asks-first" checked=${state.settings.asksFirst}
      onChange=${() => changeSettings({ asksFirst: !state.settings.asksFirst })} /> Ask me before each batch leaves</label>
  </div>`;
}

/** Describes the built-in model, whenever it would answer. */
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

/** @returns {Storage | null} */
function storage() {
  try {
    return window.localStorage;
  } catch (error) {
    if (error instanceof DOMException) return null; // storage is forbidden here
    throw error;
  }
}
