// @ts-check
/**
 * Models and limits of the next run, remembered in this browser. In: `/api/models` and the person's choices. Out:
 * `Settings`, and the options of `RLM`. Questions and contexts are not among them: see draft.js.
 */

import { html } from "/vendor/preact.mjs";
import { AnsweringFields, isProvided, missingField, providedModels } from "./answering.js";
import { askPerson } from "./confirm.js";
import { ProblemNotice } from "./errors.js";
import { DayBudgetLine } from "./day_budget.js";
import { LimitFields, NO_RUN_LIMITS, limitOptions } from "./limits.js";
import { ModelField } from "./model_field.js";
import { ModelOptionFields, countSet } from "./model_options.js";
import { NotifyField } from "./notify_field.js";
import { PageSettings } from "./page_settings.js";
import { SchemaField } from "./schema_field.js";
import { BUILTIN, isWellFormed, loadModels, providersOf, standingOf } from "./models.js";
import { changed, defaultSettings, state } from "./state.js";
import { storageOf } from "./storage.js";
import { applyTheme } from "./theme.js";

/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {"model" | "subModel"} ModelName */
/** @typedef {import("/rlm/rlm.js").RLMModelOptions} ModelOptions */
/** @typedef {{model: string, subModel: string, allowedModels: string[], named: string[], modelOptions: ModelOptions, subModelOptions: ModelOptions, keepContext: boolean, keepImages: boolean, overlap: boolean, asksFirst: boolean, notifies: boolean, schema: string,
 *   historyMegabytes: number, theme: import("./theme.js").Theme, showsPrices: boolean} & import("./limits.js").LimitValues & import("./answering.js").Answering} Settings
 * models are empty for the server's default, and for the root model; `allowedModels` may be called by code beside them; `named`: models that were typed though not listed;
 * `keepContext`: in this browser, with the run; `keepImages`: their bytes in the log; `asksFirst` is whether the person allows each request */

const KEY = "pyodide-rlm.settings";
const MOST_NAMED = 20;
/** @type {readonly ModelName[]} */
const MODEL_NAMES = ["model", "subModel"];

/** Restore the last choices; a browser that forbids storage keeps none. */
export function restoreSettings() {
  const text = storageOf("localStorage")?.getItem(KEY);
  if (text) Object.assign(state.settings, JSON.parse(text));
  applyTheme(state.settings.theme);
}

/** @param {Partial<Settings>} change */
export function changeSettings(change) {
  Object.assign(state.settings, change);
  storageOf("localStorage")?.setItem(KEY, JSON.stringify(state.settings));
  if (change.theme !== undefined) applyTheme(change.theme);
  changed();
}

/**
 * Another field may have changed since the fields were drawn.
 * @param {"modelOptions" | "subModelOptions"} name
 * @param {ModelOptions} change
 */
const changeOptions = (name, change) => changeSettings({ [name]: { ...state.settings[name], ...change } });

/** The defaults in place of every choice, but for who answers. */
function resetSettings() {
  const { answeredBy, baseURL, vendorModel, vendorSubModel, endpoint } = state.settings;
  changeSettings({ ...defaultSettings(), answeredBy, baseURL, vendorModel, vendorSubModel, endpoint });
}

/** The options of `RLM` that the settings stand for; empty ones are left to its defaults. */
export function runOptions() {
  const models = { model: chosenModel(), subModel: chosenSubModel() };
  const chosen = Object.fromEntries(Object.entries(models).filter(([, id]) => id !== ""));
  const { allowedModels, modelOptions, subModelOptions } = state.settings;
  const options = Object.entries({ modelOptions, subModelOptions });
  return {
    ...chosen,
    ...(allowedModels.length > 0 && !isProvided() ? { allowedModels } : {}),
    ...Object.fromEntries(options.filter(([, values]) => countSet(values) > 0)),
    ...limitOptions(state.settings, servedLimits()),
    ...(state.settings.keepImages ? { keepImages: true } : {}),
    ...(state.settings.overlap ? { overlap: true } : {}),
    ...(state.settings.asksFirst ? { onEgress: askPerson } : {}),
  };
}

/** Defaults and ceilings of the server's operator. */
export function servedLimits() {
  return state.catalogue?.run_limits ?? NO_RUN_LIMITS;
}

/** The root model's id: the choice, offered or not; without one the server's default. */
export function chosenModel() {
  return (isProvided() ? providedModels().model : state.settings.model) || (state.catalogue?.default ?? "");
}

/** The sub model's id; "" for the root model's. */
export function chosenSubModel() {
  return isProvided() ? providedModels().subModel : state.settings.subModel;
}

/** Why no run may begin with the chosen models. @returns {{field?: ModelName, focus: string, problem: Problem} | null} */
export function modelProblem() {
  const missing = missingField();
  if (missing || isProvided()) return missing;
  for (const field of MODEL_NAMES) {
    const problem = problemOf(state.settings[field]);
    if (problem) return { field, focus: field === "model" ? "model" : "sub-model", problem };
  }
  return null;
}

/** @param {string} id @returns {Problem | null} */
function problemOf(id) {
  const standing = standingOf(id, { catalogue: state.catalogue, named: state.settings.named });
  if (standing === "malformed") return malformed(id);
  if (standing !== "away") return null;
  const note = state.catalogue?.notes.find(({ provider }) => id.startsWith(`${provider}:`))?.note;
  return {
    title: `“${id}” is not offered now.`,
    cause: `You chose it before. Nothing is sent to another model in its place.${note ? ` ${note}` : ""}`,
    action: "Choose a model, or start its provider and ask the server again.",
  };
}

/** @param {string} id @returns {Problem} */
function malformed(id) {
  return {
    title: `“${id}” names no model.`,
    cause: "No model of the list has this name, and it does not say who offers it.",
    action: "Choose one of the list, or write provider and model, as in “openai:gpt-5-mini”.",
  };
}

/** @param {ModelName} field @param {string} id */
function chooseModel(field, id) {
  const isListed = state.catalogue?.models.some((model) => model.id === id) ?? false;
  const { named } = state.settings;
  const isNew = id !== "" && !isListed && !named.includes(id);
  changeSettings({ [field]: id, ...(isNew ? { named: [...named, id].slice(-MOST_NAMED) } : {}) });
}

export function SettingsPanel() {
  const { catalogue, problems, settings } = state;
  const refusal = modelProblem();
  const field = (
    /** @type {ModelName} */ name,
    /** @type {string} */ id,
    /** @type {string} */ label,
    /** @type {string} */ otherwise,
  ) =>
    html`<${ModelField} id=${id} label=${label} value=${settings[name]} otherwise=${otherwise} models=${catalogue?.models ?? []}
      problem=${refusal?.field === name ? "model-problem" : undefined} onChoose=${(/** @type {string} */ chosen) => chooseModel(name, chosen)} />`;
  const named = catalogue ? `Default: ${catalogue.default}` : "none listed";
  return html`<div class="field settings">
    <${AnsweringFields} onInput=${changeSettings} onChosen=${() => void loadModels()} />
    ${
      !isProvided() &&
      html`<div class="models">
      ${field("model", "model", "Root model", named)}
      ${field("subModel", "sub-model", "Sub model", "Same as root")}
      <${AllowedModels} />
    </div>`
    }
    ${refusal && html`<${ProblemNotice} problem=${refusal.problem} id="model-problem" />`}
    ${problems.models && html`<${ProblemNotice} problem=${problems.models} id="models-problem" />`}
    <${ListNotes} />
    <p class="row">
      ${refusal?.field && isWellFormed(settings[refusal.field]) && html`<${UseAnyway} id=${settings[refusal.field]} />`}
      ${(problems.models || refusal?.field || (catalogue?.notes.length ?? 0) > 0) && html`<${ReloadButton} />`}
    </p>
    <${StandInNote} />
    <${ModelOptionFields} of="model" values=${settings.modelOptions}
      onChange=${(/** @type {ModelOptions} */ change) => changeOptions("modelOptions", change)} />
    <${ModelOptionFields} of="subModel" values=${settings.subModelOptions}
      onChange=${(/** @type {ModelOptions} */ change) => changeOptions("subModelOptions", change)} />
    <${LimitFields} values=${settings} served=${servedLimits()} onChange=${changeSettings} />
    <${DayBudgetLine} budget=${catalogue?.budget ?? null} />
    <${SchemaField} text=${settings.schema} onChange=${(/** @type {string} */ schema) => changeSettings({ schema })} />
    <label class="check"><input type="checkbox" id="asks-first" checked=${settings.asksFirst}
      onChange=${() => changeSettings({ asksFirst: !settings.asksFirst })} /> Ask me before each batch leaves</label>
    <label class="check"><input type="checkbox" id="keep-images" checked=${settings.keepImages}
      onChange=${() => changeSettings({ keepImages: !settings.keepImages })} /> Keep images that leave in the log</label>
    <label class="check"><input type="checkbox" id="overlap" checked=${settings.overlap}
      onChange=${() => changeSettings({ overlap: !settings.overlap })} /> Send sub-calls while the reply is being written</label>
    <${NotifyField} onChange=${changeSettings} />
    <${PageSettings} onChange=${changeSettings} onReset=${resetSettings} />
  </div>`;
}

/** The models that code may call already, also those chosen since the fields were drawn. */
function takenModels() {
  return new Set([chosenModel(), state.settings.subModel, ...state.settings.allowedModels]);
}

/** The models that code may call beside the two. */
function AllowedModels() {
  const { catalogue, settings } = state;
  const { allowedModels } = settings;
  const taken = takenModels();
  const add = (/** @type {string} */ id) => {
    if (!isWellFormed(id) || takenModels().has(id)) return;
    changeSettings({ allowedModels: [...state.settings.allowedModels, id] });
  };
  const remove = (/** @type {string} */ id) => {
    changeSettings({ allowedModels: state.settings.allowedModels.filter((other) => other !== id) });
    document.getElementById("allowed-model")?.focus(); // the button that had the focus is gone
  };
  return html`<div class="allowed-models">
    <${ModelField} id="allowed-model" label="More models for code" value="" otherwise="None: only those two"
      models=${(catalogue?.models ?? []).filter(({ id }) => !taken.has(id))} problem=${undefined} onChoose=${add} />
    ${
      allowedModels.length > 0 &&
      html`<ul id="allowed-models" aria-label="More models that code may call">${allowedModels.map(
        (
          id,
        ) => html`<li key=${id}><span>${id}</span> <button type="button" class="quiet small" aria-label="Remove ${id}"
          onClick=${() => remove(id)}>Remove</button></li>`,
      )}</ul>`
    }
  </div>`;
}

/** @param {{id: string}} props */
function UseAnyway({ id }) {
  const keep = () => changeSettings({ named: [...state.settings.named, id].slice(-MOST_NAMED) });
  return html`<button type="button" class="small" id="use-anyway" onClick=${keep}>Use it all the same</button>`;
}

function ReloadButton() {
  return html`<button type="button" class="small" id="reload-models" onClick=${loadModels}>Ask the server again</button>`;
}

/** Lists of models that are missing or not whole. */
function ListNotes() {
  const notes = state.catalogue?.notes ?? [];
  if (notes.length === 0) return null;
  return html`<ul class="list-notes" id="list-notes" aria-label="Notes on the list of models">
    ${notes.map(({ provider, note }) => html`<li><strong>${provider}:</strong> ${note} You can still name a model: “${provider}:…”.</li>`)}
  </ul>`;
}

/** Describes the built-in model, whenever it would answer. */
function StandInNote() {
  const { catalogue } = state;
  const inUse = [chosenModel(), chosenSubModel()];
  const standIn = catalogue?.models.find((model) => model.provider === BUILTIN && inUse.includes(model.id));
  if (!catalogue || !standIn) return null;
  const isSetUp = providersOf(catalogue).size > 0;
  return html`<p class="stand-in" id="stand-in">
    <strong>A stand-in, not a language model.</strong> It writes fixed code and picks sentences by word ranking.
    ${isSetUp ? " For a language model, choose or name another above." : html`<${KeysNote} />`}
  </p>`;
}

function KeysNote() {
  if (isProvided())
    return html` It runs in this tab, and nothing leaves it. For a language model, choose another above.`;
  return html` For a language model, start the server with <code>OPENAI_API_KEY</code> or <code>ANTHROPIC_API_KEY</code> set,
    or with Ollama running.`;
}
