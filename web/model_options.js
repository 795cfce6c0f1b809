// @ts-check
/**
 * Options of model calls, as a person sets them. In: text of each field. Out: the `modelOptions` of `RLM`; an empty field
 * is left to the model's own default. The server refuses by name an option that the chosen model's provider has not.
 */

import { html } from "/vendor/preact.mjs";
import { fieldValue, isNoNumber } from "./fields.js";
import { plural } from "./format.js";

/** @typedef {import("/rlm/rlm.js").RLMModelOptions} RLMModelOptions */
/** @typedef {"temperature" | "maxOutputTokens" | "reasoningEffort" | "seed"} OptionName */
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

/** The first option that is impossible, and why. @param {RLMModelOptions} values @returns {{name: OptionName, why: string} | null} */
export function wrongModelOption(values) {
  for (const option of NUMBERS) {
    const why = wrongBy(option, values);
    if (why !== "") return { name: option.name, why };
  }
  return null;
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

/** @param {{values: RLMModelOptions, onChange: (values: RLMModelOptions) => void}} props */
export function ModelOptionFields({ values, onChange }) {
  const set = Object.values(values).filter((value) => value !== null && value !== undefined).length;
  const effort = (/** @type {Event} */ event) => {
    const chosen = EFFORTS.find((one) => one === fieldValue(event)) ?? null;
    onChange({ ...values, reasoningEffort: chosen });
  };
  return html`<details class="limits" id="model-options">
    <summary>Model options <span class="muted">${set === 0 ? "the model’s own" : `${plural(set, "option")} set`}</span></summary>
    <div class="limit-group">
      ${NUMBERS.map((option) => html`<${NumberField} key=${option.name} option=${option} values=${values} onChange=${onChange} />`)}
      <div class="limit">
        <label for="option-reasoningEffort">Reasoning</label>
        <select id="option-reasoningEffort" value=${values.reasoningEffort ?? ""} onChange=${effort} aria-describedby="option-reasoningEffort-hint">
          <option value="">default</option>
          ${EFFORTS.map((one) => html`<option value=${one}>${one}</option>`)}
        </select>
        <span class="muted" id="option-reasoningEffort-hint">how long a reasoning model thinks</span>
      </div>
    </div>
  </details>`;
}

/** @param {{option: NumberOption, values: RLMModelOptions, onChange: (values: RLMModelOptions) => void}} props */
function NumberField({ option, values, onChange }) {
  const { name, label, hint } = option;
  const id = `option-${name}`;
  const value = values[name] ?? null;
  const why = wrongBy(option, values);
  const input = (/** @type {Event} */ event) => {
    const text = fieldValue(event);
    onChange({ ...values, [name]: isNoNumber(event) ? Number.NaN : text === "" ? null : Number(text) });
  };
  return html`<div class="limit">
    <label for=${id}>${label}</label>
    <input id=${id} type="number" inputmode="decimal" step="any" placeholder="default"
      value=${value === null || Number.isNaN(value) ? "" : String(value)} aria-describedby="${id}-hint"
      aria-invalid=${why === "" ? undefined : "true"} onInput=${input} />
    <span class="muted" id="${id}-hint">${hint}${why && html` <strong class="fault" role="alert">${why}</strong>`}</span>
  </div>`;
}
