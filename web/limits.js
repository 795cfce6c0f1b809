// @ts-check
/**
 * The limits of the next run, as a person sets them. In: the number in each field. Out: the options of `RLM` that
 * it stands for; an empty field is left to the default, which it names.
 */

import { html } from "/vendor/preact.mjs";
import { fieldValue } from "./fields.js";
import { count, duration, plural } from "./format.js";

/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/**
 * @typedef {"maxIterations" | "maxSeconds" | "blockSeconds" | "maxErrors" | "maxSubCalls" | "maxPromptChars" | "maxDepth"
 *   | "maxConcurrency" | "maxInputTokens" | "maxOutputTokens" | "maxCost" | "maxOutputChars" | "maxContextChars"
 *   | "windowTokens" | "compactPercent"} LimitName
 */
/** @typedef {Record<LimitName, number | null>} LimitValues `null` for the default */
/**
 * @typedef {object} Limit
 * @property {LimitName} name
 * @property {string} label
 * @property {string} hint the unit, and the thing that is counted
 * @property {number | null} otherwise the default of `RLM`; `null` for no limit
 * @property {number} least
 * @property {number | "any"} step
 * @property {(value: number) => RLMOptions} option
 */

/** @type {readonly {title: string, limits: readonly Limit[]}[]} */
const GROUPS = [
  {
    title: "Each run",
    limits: [
      whole("maxIterations", "Iterations", "replies of the root model", 20),
      whole("maxErrors", "Errors in a row", "iterations that fail before the run ends", 5),
      amount("blockSeconds", "Block time", "seconds at work, its sub-calls not counted", 120, (seconds) => ({
        blockTimeout: seconds * 1000,
      })),
    ],
  },
  {
    title: "The whole tree of runs",
    limits: [
      amount("maxSeconds", "Time", "seconds", null, (seconds) => ({ maxTimeout: seconds * 1000 })),
      whole("maxSubCalls", "Sub-calls", "model calls of code, and child runs", null, { least: 0 }),
      whole("maxDepth", "Depth", "levels of runs; at 1 there are no child runs", 1),
      whole("maxConcurrency", "At once", "child runs at work at the same time", 4),
      whole("maxInputTokens", "Input tokens", "tokens of all calls", null),
      whole("maxOutputTokens", "Output tokens", "tokens of all calls", null),
      amount("maxCost", "Cost", "US dollars; calls of unknown price are not counted", null, (maxCost) => ({ maxCost })),
    ],
  },
  {
    title: "What models are shown",
    limits: [
      whole("maxOutputChars", "Output", "characters of a block's output", 20_000, { least: 200, step: 100 }),
      whole("maxPromptChars", "Prompt", "characters of one sub-call's prompt", null),
      whole("maxContextChars", "Context", "characters of it that may leave in calls, each counted once", null, {
        least: 0,
      }),
      whole("windowTokens", "Window", "tokens of the root model's window", 128_000, { least: 1_000, step: 1_000 }),
      amount("compactPercent", "Summary at", "percent of the window; 0 for never", 85, (percent) => ({
        compactAt: percent === 0 ? false : percent / 100,
      })),
    ],
  },
];

const LIMITS = GROUPS.flatMap(({ limits }) => limits);

/** Every limit left to its default. @returns {LimitValues} */
export function defaultLimits() {
  return /** @type {LimitValues} */ (Object.fromEntries(LIMITS.map(({ name }) => [name, null])));
}

/** @param {LimitValues} values @returns {RLMOptions} */
export function limitOptions(values) {
  return Object.assign({}, ...LIMITS.map(({ name, option }) => optionOf(values[name], option)));
}

/**
 * @param {{values: LimitValues, onChange: (change: Partial<LimitValues>) => void}} props
 */
export function LimitFields({ values, onChange }) {
  return html`<details class="limits" id="limits">
    <summary>Limits <span class="muted">${summary(values)}</span></summary>
    ${GROUPS.map(
      ({ title, limits }) => html`<fieldset class="limit-group">
        <legend>${title}</legend>
        ${limits.map((limit) => html`<${LimitInput} key=${limit.name} limit=${limit} values=${values} onChange=${onChange} />`)}
      </fieldset>`,
    )}
  </details>`;
}

/** @param {{limit: Limit, values: LimitValues, onChange: (change: Partial<LimitValues>) => void}} props */
function LimitInput({ limit: { name, label, hint, otherwise, least, step }, values, onChange }) {
  const id = `limit-${name}`;
  const value = values[name];
  const input = (/** @type {Event} */ event) => {
    const text = fieldValue(event);
    onChange({ [name]: text === "" ? null : Number(text) });
  };
  return html`<div class="limit">
    <label for=${id}>${label}</label>
    <input id=${id} type="number" inputmode="decimal" min=${least} step=${step} value=${value === null ? "" : String(value)}
      placeholder=${otherwise === null ? "no limit" : count(otherwise)} aria-describedby="${id}-hint" onInput=${input} />
    <span class="muted" id="${id}-hint">${hint}</span>
  </div>`;
}

/** @param {LimitValues} values */
function summary(values) {
  const { maxIterations, maxSeconds } = values;
  const others = LIMITS.filter(({ name }) => name !== "maxIterations" && name !== "maxSeconds");
  const set = others.filter(({ name }) => values[name] !== null).length;
  const time = maxSeconds === null ? "no time limit" : duration(maxSeconds);
  return `${plural(maxIterations ?? 20, "iteration")}, ${time}${set > 0 ? `, ${plural(set, "other")} set` : ""}`;
}

/** @param {number | null} value @param {Limit["option"]} option */
function optionOf(value, option) {
  return value === null ? {} : option(value);
}

/**
 * A limit in whole numbers, whose option has the same name.
 *
 * @param {LimitName & keyof RLMOptions} name
 * @param {string} label
 * @param {string} hint
 * @param {number | null} otherwise
 * @param {{least?: number, step?: number}} [bounds]
 * @returns {Limit}
 */
function whole(name, label, hint, otherwise, { least = 1, step = 1 } = {}) {
  return { name, label, hint, otherwise, least, step, option: (value) => ({ [name]: value }) };
}

/**
 * A limit in any number above 0.
 *
 * @param {LimitName} name
 * @param {string} label
 * @param {string} hint
 * @param {number | null} otherwise
 * @param {Limit["option"]} option
 * @returns {Limit}
 */
function amount(name, label, hint, otherwise, option) {
  return { name, label, hint, otherwise, least: 0, step: "any", option };
}
