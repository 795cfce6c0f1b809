// @ts-check
/**
 * The limits of the next run, as a person sets them. In: the number in each field, and what the server's operator set.
 * Out: the options of `RLM` that they stand for; an empty field is left to the default, which it names.
 */

import { LIMITS } from "/rlm/wire/protocol.js";
import { html } from "/vendor/preact.mjs";
import { fieldValue, isNoNumber } from "./fields.js";
import { count, duration, plural } from "./format.js";

/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/** @typedef {import("/rlm/wire/protocol.js").LimitFacts} LimitFacts */
/** @typedef {import("/rlm/wire/protocol.js").LimitOption} LimitOption */
/**
 * @typedef {"maxIterations" | "maxSeconds" | "blockSeconds" | "maxErrors" | "maxSubCalls" | "maxPromptChars" | "maxDepth"
 *   | "maxConcurrency" | "maxInputTokens" | "maxOutputTokens" | "maxCost" | "maxOutputChars" | "maxContextChars"
 *   | "windowTokens" | "compactPercent"} LimitName
 */
/** @typedef {Record<LimitName, number | null>} LimitValues `null` for the default */
/** @typedef {{name: LimitName, label: string, option: LimitOption, facts: LimitFacts}} Limit */

/**
 * Defaults and greatest values that the server's operator chose, by the limits' names, in their units.
 * @typedef {{defaults: Readonly<Record<string, number>>, ceilings: Readonly<Record<string, number>>}} RunLimits
 */

/** @type {RunLimits} */
export const NO_RUN_LIMITS = { defaults: {}, ceilings: {} };
/** Fields whose unit is not the option's; any other field is named as its option is. */
const OPTIONS = /** @type {const} */ ({
  maxSeconds: "maxTimeout",
  blockSeconds: "blockTimeout",
  compactPercent: "compactAt",
});
/** Steps of the fields whose numbers are large. */
const STEPS = /** @type {Partial<Record<LimitName, number>>} */ ({ maxOutputChars: 100, windowTokens: 1_000 });
const PERCENT = 100;

/** @type {readonly {title: string, limits: readonly Limit[]}[]} */
const GROUPS = [
  {
    title: "Each run",
    limits: [
      limit("maxIterations", "Iterations"),
      limit("maxErrors", "Errors in a row"),
      limit("blockSeconds", "Block time"),
    ],
  },
  {
    title: "The whole tree of runs",
    limits: [
      limit("maxSeconds", "Time"),
      limit("maxSubCalls", "Sub-calls"),
      limit("maxDepth", "Depth"),
      limit("maxConcurrency", "At once"),
      limit("maxInputTokens", "Input tokens"),
      limit("maxOutputTokens", "Output tokens"),
      limit("maxCost", "Cost"),
    ],
  },
  {
    title: "What models are shown",
    limits: [
      limit("maxOutputChars", "Output"),
      limit("maxPromptChars", "Prompt"),
      limit("maxContextChars", "Context"),
      limit("windowTokens", "Window"),
      limit("compactPercent", "Summary at"),
    ],
  },
];

const FIELDS = GROUPS.flatMap(({ limits }) => limits);

/** Every limit left to its default. @returns {LimitValues} */
export function defaultLimits() {
  return /** @type {LimitValues} */ (Object.fromEntries(FIELDS.map(({ name }) => [name, null])));
}

/** @param {LimitValues} values @param {RunLimits} served @returns {RLMOptions} */
export function limitOptions(values, served) {
  const chosen = (/** @type {Limit} */ limit) => {
    const usual = usualOf(limit, served);
    return values[limit.name] ?? (usual === usualOf(limit, NO_RUN_LIMITS) ? null : usual);
  };
  return Object.assign({}, ...FIELDS.map((limit) => optionOf(limit, chosen(limit))));
}

/** The value of an empty field, in its unit; `null` for no limit. @param {Limit} limit @param {RunLimits} served */
function usualOf({ facts }, { defaults, ceilings }) {
  const usual = defaults[facts.name] ?? facts.default;
  const most = ceilings[facts.name];
  const least = most === undefined ? usual : Math.min(usual ?? most, most);
  return least === null ? null : least * (facts.unit === "share" ? PERCENT : 1);
}

/**
 * The first limit that is impossible, and why.
 * @param {LimitValues} values @param {RunLimits} served @returns {{name: LimitName, why: string} | null}
 */
export function wrongLimit(values, served) {
  for (const limit of FIELDS) {
    const why = wrongBy(limit, values[limit.name], served);
    if (why !== "") return { name: limit.name, why };
  }
  return null;
}

/** `text` with the fields' labels in place of the options' and the limits' names. @param {string} text */
export function withLabels(text) {
  return FIELDS.reduce(
    (labelled, { label, option, facts }) =>
      labelled.replace(new RegExp(`\\b(${option}|${facts.name})\\b`, "g"), `“${label}”`),
    text,
  );
}

/** @param {Limit} limit @param {number | null} value @param {RunLimits} served @returns {string} "" where it is possible */
function wrongBy({ label, facts }, value, { ceilings }) {
  if (value === null || (facts.off && value === 0)) return "";
  if (!Number.isFinite(value)) return `${label} must be a number.`;
  const scale = facts.unit === "share" ? PERCENT : 1;
  const least = facts.least * scale;
  if (value < least) return `${label} must be at least ${count(least)}.`;
  if (!facts.whole && value === 0) return `${label} must be above 0.`;
  if (facts.most !== null && value > facts.most * scale)
    return `${label} must be at most ${count(facts.most * scale)}.`;
  const ceiling = ceilings[facts.name];
  if (ceiling !== undefined && value > ceiling) return `${label} is at most ${count(ceiling)} on this server.`;
  return facts.whole && !Number.isInteger(value) ? `${label} must be a whole number.` : "";
}

/**
 * @param {{values: LimitValues, served: RunLimits, onChange: (change: Partial<LimitValues>) => void}} props
 */
export function LimitFields({ values, served, onChange }) {
  return html`<details class="limits" id="limits">
    <summary>Limits <span class="muted">${summary(values, served)}</span></summary>
    ${GROUPS.map(
      ({ title, limits }) => html`<fieldset class="limit-group">
        <legend>${title}</legend>
        ${limits.map((limit) => html`<${LimitInput} key=${limit.name} limit=${limit} values=${values} served=${served} onChange=${onChange} />`)}
      </fieldset>`,
    )}
  </details>`;
}

/** @param {{limit: Limit, values: LimitValues, served: RunLimits, onChange: (change: Partial<LimitValues>) => void}} props */
function LimitInput({ limit, values, served, onChange }) {
  const { name, label, facts } = limit;
  const id = `limit-${name}`;
  const value = values[name];
  const percent = facts.unit === "share";
  const usual = usualOf(limit, served);
  const input = (/** @type {Event} */ event) => {
    const text = fieldValue(event);
    onChange({ [name]: isNoNumber(event) ? Number.NaN : text === "" ? null : Number(text) });
  };
  const why = wrongBy(limit, value, served);
  return html`<div class="limit">
    <label for=${id}>${label}</label>
    <input id=${id} type="number" inputmode="decimal" min=${facts.least} step=${facts.whole ? (STEPS[name] ?? 1) : "any"}
      value=${value === null || Number.isNaN(value) ? "" : String(value)} placeholder=${usual === null ? "no limit" : count(usual)}
      aria-describedby="${id}-hint" aria-invalid=${why === "" ? undefined : "true"} onInput=${input} />
    <span class="muted" id="${id}-hint">${percent ? "percent" : facts.unit} ${facts.of}${facts.off ? "; 0 for never" : ""}
      ${why && html`<strong class="fault" role="alert">${why}</strong>`}</span>
  </div>`;
}

/** @param {LimitValues} values @param {RunLimits} served */
function summary(values, served) {
  const [maxIterations, maxSeconds] = /** @type {const} */ (["maxIterations", "maxSeconds"]).map((name) => {
    const limit = FIELDS.find((field) => field.name === name);
    return values[name] ?? (limit ? usualOf(limit, served) : null);
  });
  const others = FIELDS.filter(({ name }) => name !== "maxIterations" && name !== "maxSeconds");
  const set = others.filter(({ name }) => values[name] !== null).length;
  const time = maxSeconds === null ? "no time limit" : duration(maxSeconds);
  return `${plural(Number(maxIterations), "iteration")}, ${time}${set > 0 ? `, ${plural(set, "other")} set` : ""}`;
}

/** @param {Limit} limit @param {number | null} value @returns {RLMOptions} */
function optionOf({ option, facts }, value) {
  if (value === null) return {};
  if (facts.off && value === 0) return { [option]: false };
  return { [option]: facts.unit === "share" ? value / PERCENT : value * facts.scale };
}

/** @param {LimitName} name @param {string} label @returns {Limit} */
function limit(name, label) {
  const option =
    name in OPTIONS ? OPTIONS[/** @type {keyof typeof OPTIONS} */ (name)] : /** @type {LimitOption} */ (name);
  return { name, label, option, facts: LIMITS[option] };
}
