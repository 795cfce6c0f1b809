// @ts-check
/**
 * Options of model calls, as a person sets them. In: text of each field. Out: the `modelOptions` and `subModelOptions` of
 * `RLM`; an empty field is left to the model's own default. The server refuses by name an option that the chosen model's provider has not.
 */

import { html } from "/vendor/preact.mjs";
import { fieldValue, isNoNumber } from "./fields.js";
import { plural } from "./format.js";

/** @typedef {import("/rlm/rlm.js").RLMModelOptions} RLMModelOptions */
/** @typedef {"temperature" | "topP" | "maxOutputTokens" | "reasoningEffort" | "seed"} OptionName */
/** @typedef {"model" | "subModel"} Of */
/** @typedef {{name: OptionName, label: string, hint: string, least: number, most: number, whole: boolean}} NumberOption */

/** @type {readonly NumberOption[]} */
const NUMBERS = [
  {
    name: "temperature",
    label: "Temperature",
    hint: "0 to 2; 0 for the same answer each time, as far as the model can",
    least: 0,
    most: 2,
    whole: false,
  },
  {
    name: "topP",
    label: "Top p",
    hint: "above 0, up to 1; share of the likeliest words that is drawn from",
    least: 0.01,
    most: 1,
    whole: false,
  },
  {
    name: "maxOutputTokens",
    label: "Reply",
    hint: "tokens of one reply at most",
    least: 1,
    most: Number.MAX_SAFE_INTEGER,
    whole: true,
  },
  {
    name: "seed",
    label: "Seed",
    hint: "whole number; the same one draws the same, where a model takes it",
    least: 0,
    most: Number.MAX_SAFE_INTEGER,
    whole: true,
  },
];
const EFFORTS = /** @type {const} */ (["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

/** Panels by the model that their options are for. @type {Readonly<Record<Of, {id: string, field: string, title: string, otherwise: string}>>} */
const PANELS = {
  model: { id: "model-options", field: "option", title: "Model options", otherwise: "the model’s own" },
  subModel: {
    id: "sub-model-options",
    field: "sub-option",
    title: "Sub model options",
    otherwise: "as the root model’s, where it is the same model",
  },
};

/** The first option that is impossible, by the ids of its panel and field. @param {Record<Of, RLMModelOptions>} values */
export function wrongModelOption(values) {
  for (const of of /** @type {const} */ (["model", "subModel"])) {
    const wrong = NUMBERS.find((option) => wrongBy(option, values[of]) !== "");
    if (wrong !== undefined) return { panel: PANELS[of].id, field: `${PANELS[of].field}-${wrong.name}` };
  }
  return null;
}

/** How many options are set. @param {RLMModelOptions} values */
export function countSet(values) {
  return Object.values(values).filter((value) => value !== null && value !== undefined).length;
}

/** @param {NumberOption} option @param {RLMModelOptions} values @returns {string} "" where it is possible */
function wrongBy({ name, label, least, most, whole }, values) {
  const value = values[name] ?? null;
  if (value === null) return "";
  if (typeof value !== "number" || !Number.isFinite(value)) return `${label} must be a number.`;
  if (value < least) return `${label} must be at least ${least}.`;
  if (value > most) return `${label} must be at most ${most}.`;
  return whole && !Number.isInteger(value) ? `${label} must be a whole number.` : "";
}

/** @param {{of: Of, values: RLMModelOptions, onChange: (change: RLMModelOptions) => void}} props */
export function ModelOptionFields({ of, values, onChange }) {
  const { id, field, title, otherwise } = PANELS[of];
  const set = countSet(values);
  const effort = (/** @type {Event} */ event) => {
    const chosen = EFFORTS.find((one) => one === fieldValue(event)) ?? null;
    onChange({ reasoningEffort: chosen });
  };
  return html`<details class="limits" id=${id}>
    <summary>${title} <span class="muted">${set === 0 ? otherwise : `${plural(set, "option")} set`}</span></summary>
    <div class="limit-group">
      ${NUMBERS.map((option) => html`<${NumberField} key=${option.name} field=${field} option=${option} values=${values} onChange=${onChange} />`)}
      <div class="limit">
        <label for="${field}-reasoningEffort">Reasoning</label>
        <select id="${field}-reasoningEffort" value=${values.reasoningEffort ?? ""} onChange=${effort} aria-describedby="${field}-reasoningEffort-hint">
          <option value="">default</option>
          ${EFFORTS.map((one) => html`<option value=${one}>${one}</option>`)}
        </select>
        <span class="muted" id="${field}-reasoningEffort-hint">how long a reasoning model thinks</span>
      </div>
    </div>
  </details>`;
}

/** @param {{field: string, option: NumberOption, values: RLMModelOptions, onChange: (change: RLMModelOptions) => void}} props */
function NumberField({ field, option, values, onChange }) {
  const { name, label, hint } = option;
  const id = `${field}-${name}`;
  const value = values[name] ?? null;
  const why = wrongBy(option, values);
  const input = (/** @type {Event} */ event) => {
    const text = fieldValue(event);
    onChange({ [name]: isNoNumber(event) ? Number.NaN : text === "" ? null : Number(text) });
  };
  return html`<div class="limit">
    <label for=${id}>${label}</label>
    <input id=${id} type="number" inputmode="decimal" step="any" placeholder="default"
      value=${value === null || Number.isNaN(value) ? "" : String(value)} aria-describedby="${id}-hint"
      aria-invalid=${why === "" ? undefined : "true"} onInput=${input} />
    <span class="muted" id="${id}-hint">${hint}${why && html` <strong class="fault" role="alert">${why}</strong>`}</span>
  </div>`;
}
