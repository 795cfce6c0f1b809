// @ts-check
// Settings: the options of the class RLM, checked, with defaults filled in.
//
// In: options as a user of the package passes them. Out: settings, or a ConfigError that names the option, its value and
// its allowed values. Question and context are those of `job.js`, the options of one call of `call_options.js`.

import { areHeaders, headersOf, isToken } from "../calls/headers.js";
import { openPageProvider } from "../calls/page_provider.js";
import { configError } from "../wire/errors.js";
import { textOfJson } from "../wire/json.js";
import { LIMITS, RESERVED_NAMES } from "../wire/protocol.js";
import { shown } from "./shown_value.js";

/**
 * @typedef {import("../wire/protocol.js").JobTool} JobTool
 * @typedef {import("../wire/protocol.js").LimitFacts} LimitFacts
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 */

/** @typedef {import("../wire/types.d.ts").ModelOptions} ModelOptions */

/**
 * Options of the class RLM, checked, with defaults filled in.
 * @typedef {object} Settings
 * @property {string} endpoint
 * @property {import("../wire/types.d.ts").PageProvider | null} provider in place of the endpoint
 * @property {Record<string, string>} headers of each request, that of the token among them
 * @property {string} assets
 * @property {import("../boot/types.d.ts").HostKind} host
 * @property {import("../wire/protocol.js").Ready["level"]} containment
 * @property {string | null} model
 * @property {string | null} subModel
 * @property {string[] | null} allowedModels beside these two
 * @property {ModelOptions} modelOptions
 * @property {ModelOptions} subModelOptions
 * @property {string | null} systemPrompt
 * @property {string[] | null} packages
 * @property {StartJob["limits"]} limits
 * @property {boolean} isWindowChosen whether the caller set `windowTokens`
 * @property {boolean} allowUnknownPrice
 * @property {JobTool[]} tools
 * @property {JobTool[] | null} subTools
 * @property {import("../wire/types.d.ts").Functions} functions
 * @property {((iteration: import("../rlm.d.ts").RLMIteration) => void) | null} onIteration
 * @property {((call: {prompt: string, model: string | null}) => void) | null} onSubLLMCall
 * @property {((event: import("../wire/protocol.js").Event) => void) | null} onEvent
 * @property {import("../rlm.d.ts").RLMOptions["onEgress"] | null} onEgress
 * @property {boolean | string | null} journal
 * @property {boolean} keepContext
 * @property {boolean} keepLog
 * @property {boolean} keepImages
 * @property {boolean} overlap
 */

const IDENTIFIER = /^[\p{XID_Start}_][\p{XID_Continue}]*$/u;
const OF_SESSIONS = /^(?:context|history)(?:_\d+)?$/;
const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/**
 * Each option with its default, its check, and the words for an impossible value.
 * @type {Record<string, {otherwise: unknown, must: string, ok: (value: unknown) => boolean}>}
 */
export const OPTIONS = {
  endpoint: { otherwise: "/api/rlm", must: "be a URL", ok: isName },
  provider: { otherwise: null, must: "be a function", ok: isFunction },
  token: { otherwise: null, must: "be a token: printable ASCII without spaces", ok: isToken },
  headers: { otherwise: {}, must: "be an object of header names and texts", ok: areHeaders },
  assets: { otherwise: null, must: "be the URL of a folder", ok: isName },
  host: {
    otherwise: "auto",
    must: 'be "auto", "worker" or "frame"',
    ok: (value) => ["auto", "worker", "frame"].includes(String(value)),
  },
  containment: {
    otherwise: "network",
    must: 'be "full", "network" or "weak"',
    ok: (value) => ["full", "network", "weak"].includes(String(value)),
  },
  model: { otherwise: null, must: "be a model's name", ok: isName },
  subModel: { otherwise: null, must: "be a model's name", ok: isName },
  allowedModels: { otherwise: null, must: "be a list of models' names", ok: isNames },
  modelOptions: { otherwise: {}, must: "be an object of options", ok: isRecord },
  subModelOptions: { otherwise: null, must: "be an object of options", ok: isRecord },
  ...Object.fromEntries(Object.entries(LIMITS).map(([option, facts]) => [option, limitCheck(facts)])),
  systemPrompt: { otherwise: null, must: "be text", ok: isName },
  tools: { otherwise: {}, must: "be an object of name and tool", ok: isRecord },
  subTools: { otherwise: null, must: "be an object of name and tool", ok: isRecord },
  packages: { otherwise: null, must: "be a list of packages' names", ok: isNames },
  allowUnknownPrice: { otherwise: false, must: "be true or false", ok: (value) => typeof value === "boolean" },
  onIteration: { otherwise: null, must: "be a function", ok: isFunction },
  onSubLLMCall: { otherwise: null, must: "be a function", ok: isFunction },
  onEvent: { otherwise: null, must: "be a function", ok: isFunction },
  onEgress: { otherwise: null, must: "be a function", ok: isFunction },
  journal: {
    otherwise: null,
    must: 'be true, false or a name of 1 to 64 letters, digits, ".", "_", ":" and "-"',
    ok: isJournal,
  },
  keepLog: { otherwise: false, must: "be true or false", ok: (value) => typeof value === "boolean" },
  keepImages: { otherwise: false, must: "be true or false", ok: (value) => typeof value === "boolean" },
  overlap: { otherwise: false, must: "be true or false", ok: (value) => typeof value === "boolean" },
  keepContext: { otherwise: false, must: "be true or false", ok: (value) => typeof value === "boolean" },
};

export const OPTION_NAMES = Object.keys(OPTIONS);

/**
 * Options of a model call: their names on the wire, and their checks.
 * @type {Record<string, {wire: string, must: string, ok: (value: unknown) => boolean}>}
 */
const MODEL_OPTIONS = {
  temperature: { wire: "temperature", must: "be a number from 0 to 2", ok: (value) => isWithin(value, 0, 2) },
  topP: {
    wire: "top_p",
    must: "be a number above 0 and up to 1",
    ok: (value) => isAboveZero(value) && Number(value) <= 1,
  },
  maxOutputTokens: { wire: "max_output_tokens", must: "be a whole number of at least 1", ok: wholeFrom(1) },
  reasoningEffort: {
    wire: "reasoning_effort",
    must: `be one of ${EFFORTS.join(", ")}`,
    ok: (value) => EFFORTS.includes(String(value)),
  },
  seed: { wire: "seed", must: "be a whole number", ok: Number.isSafeInteger },
};

/**
 * @param {unknown} options
 * @param {string} face URL of the module that the caller imports: its assets are beside it
 * @returns {Settings}
 */
export function checkedSettings(options, face) {
  const values = /** @type {Record<string, unknown>} */ (options);
  if (typeof options !== "object" || options === null)
    throw configError(`the options must be an object, not ${shown(options)}.`);
  const unknown = Object.keys(values).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) throw configError(`unknown option ${unknown}. Known are ${OPTION_NAMES.join(", ")}.`);
  const checked = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { otherwise, must, ok }]) => {
      const value = values[name] ?? otherwise;
      if (value !== null && !ok(value)) throw configError(`${name} must ${must}, not ${shown(value)}.`);
      return [name, value];
    }),
  );
  if (checked.keepContext && !checked.journal)
    throw configError("keepContext keeps the context beside the journal: set journal as well.");
  const modelOptions = modelOptionsOf("modelOptions", checked.modelOptions);
  const isOneModel = checked.subModel === null || checked.subModel === checked.model;
  const subModelOptions =
    checked.subModelOptions === null
      ? isOneModel
        ? modelOptions
        : {}
      : modelOptionsOf("subModelOptions", checked.subModelOptions);
  if (checked.keepLog && !checked.journal) throw configError("keepLog keeps the journal: set journal as well.");
  const own = toolsOf(/** @type {Record<string, unknown>} */ (checked.tools));
  const below = checked.subTools === null ? null : toolsOf(/** @type {Record<string, unknown>} */ (checked.subTools));
  const functions = { tools: own.functions, subTools: below?.functions ?? null };
  const assets = new URL(String(checked.assets ?? new URL("./assets/", face)), document.baseURI).href;
  const tools = { tools: own.tools, subTools: below?.tools ?? null, functions };
  const isWindowChosen = (values.windowTokens ?? null) !== null;
  const sent = /** @type {Record<string, string>} */ (checked.headers);
  const headers = headersOf(sent, /** @type {string | null} */ (checked.token));
  const derived = {
    provider: providerOf(values),
    headers,
    modelOptions,
    subModelOptions,
    assets,
    limits: limitsOf(checked),
    isWindowChosen,
  };
  return /** @type {Settings} */ ({ ...checked, ...tools, ...derived });
}

const OF_ENDPOINTS = ["endpoint", "token", "headers"];

/**
 * The caller's provider; it has nothing of an endpoint beside it.
 * @param {Record<string, unknown>} values
 */
function providerOf(values) {
  if ((values.provider ?? null) === null) return null;
  const beside = OF_ENDPOINTS.find((name) => (values[name] ?? null) !== null);
  if (beside !== undefined)
    throw configError(`provider answers in place of an endpoint: leave out ${beside}, or provider.`);
  return openPageProvider(/** @type {import("../wire/types.d.ts").RLMProvider} */ (values.provider));
}

/**
 * Model options under their wire names.
 * @param {string} option
 * @param {unknown} values
 * @returns {ModelOptions}
 */
function modelOptionsOf(option, values) {
  const set = Object.entries(Object(values)).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(
    set.map(([name, value]) => {
      if (!Object.hasOwn(MODEL_OPTIONS, name))
        throw configError(`unknown option ${option}.${name}. Known are ${Object.keys(MODEL_OPTIONS).join(", ")}.`);
      const { wire, must, ok } = MODEL_OPTIONS[name];
      if (!ok(value)) throw configError(`${option}.${name} must ${must}, not ${shown(value)}.`);
      return [wire, value];
    }),
  );
}

/**
 * The fields of the core's `Limits`, in its units.
 * @param {Record<string, unknown>} checked
 * @returns {StartJob["limits"]}
 */
function limitsOf(checked) {
  return Object.fromEntries(
    Object.entries(LIMITS).map(([option, { name, scale }]) => {
      const value = checked[option];
      return [name, typeof value === "number" ? value / scale : null];
    }),
  );
}

/**
 * The row of a limit in `OPTIONS`, in the option's unit.
 * @param {LimitFacts} limitFacts
 */
function limitCheck({ default: usual, least, most, whole, off, scale, unit }) {
  const otherwise = usual === null ? null : usual * scale;
  if (whole) return { otherwise, must: `be a whole number of at least ${least}`, ok: wholeFrom(least) };
  const of = scale === 1_000 ? ` of milli${unit}` : ` of ${unit}`;
  const must = `be a number${most === null ? of : ""} above 0${most === null ? "" : ` and up to ${most}`}`;
  /** @param {unknown} value */
  const fits = (value) => isAboveZero(value) && Number(value) <= (most ?? Infinity);
  return off
    ? { otherwise, must: `${must}, or false`, ok: (/** @type {unknown} */ value) => value === false || fits(value) }
    : { otherwise, must, ok: fits };
}

// -------------------------------------------------------------------------------------------------------------- tools

/**
 * The tools as the worker gets them, and the functions among them, which stay here.
 * @param {Record<string, unknown>} value
 */
function toolsOf(value) {
  /** @type {Record<string, import("../wire/types.d.ts").RLMFunction>} */
  const functions = {};
  const tools = Object.entries(value).map(([name, tool]) => toolOf(name, tool, functions));
  return { tools, functions };
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {Record<string, import("../wire/types.d.ts").RLMFunction>} functions takes it, if it is one
 * @returns {JobTool}
 */
function toolOf(name, value, functions) {
  if (!IDENTIFIER.test(name))
    throw configError(`tool "${name}": the name must be a Python identifier, as it becomes a variable.`);
  if (RESERVED_NAMES.includes(name) || OF_SESSIONS.test(name))
    throw configError(`tool "${name}": the name is reserved; choose another.`);
  const { tool, description = "" } = isDescribed(value) ? value : { tool: value };
  if (typeof description !== "string")
    throw configError(`tool "${name}": description must be text, not ${shown(description)}.`);
  if (typeof tool !== "function")
    return { name, description, json: textOfJson(tool, `tool "${name}"`), function: false };
  functions[name] = /** @type {import("../wire/types.d.ts").RLMFunction} */ (tool);
  return { name, description, json: "null", function: true };
}

/**
 * @param {unknown} value
 * @returns {value is {tool: unknown, description?: unknown}}
 */
function isDescribed(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.hasOwn(value, "tool") &&
    Object.keys(value).every((key) => key === "tool" || key === "description")
  );
}

// ------------------------------------------------------------------------------------------------------------- checks

/** @param {unknown} value */
function isName(value) {
  return typeof value === "string" && value.trim() !== "";
}

/** @param {unknown} value */
function isNames(value) {
  return Array.isArray(value) && value.every(isName);
}

/** @param {unknown} value */
function isJournal(value) {
  return typeof value === "boolean" || /^[A-Za-z0-9._:-]{1,64}$/.test(String(value));
}

/** @param {unknown} value */
function isFunction(value) {
  return typeof value === "function";
}

/** @param {unknown} value */
function isAboveZero(value) {
  return Number.isFinite(value) && Number(value) > 0;
}

/**
 * @param {unknown} value
 * @param {number} least
 * @param {number} most
 */
function isWithin(value, least, most) {
  return Number.isFinite(value) && Number(value) >= least && Number(value) <= most;
}

/** @param {unknown} value */
function isRecord(value) {
  return typeof value === "object" && !Array.isArray(value);
}

/** @param {number} least */
function wholeFrom(least) {
  return (/** @type {unknown} */ value) => Number.isSafeInteger(value) && Number(value) >= least;
}
