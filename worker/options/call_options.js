// @ts-check
// Call options: the options of one call, `RLM.run` or `RLMSession.run`.
//
// In: an object of the caller. Out: the same, checked, or a ConfigError that names the option: one that is unknown, of the
// wrong type, of no use here, or an option of `new RLM` instead.

import { configError } from "../wire/errors.js";

/**
 * @typedef {import("../rlm.d.ts").RLMRunOptions} RLMRunOptions
 * @typedef {{must: string, ok: (value: unknown) => boolean}} Check
 */

/** @type {Readonly<Record<string, Check>>} */
const OF_ANY_RUN = {
  context: { must: "", ok: () => true },
  signal: { must: "be an AbortSignal", ok: (value) => value instanceof AbortSignal },
  direct: { must: "be true or false", ok: (value) => typeof value === "boolean" },
  schema: { must: "be a JSON Schema, an object or true", ok: isSchema },
  onChild: { must: "be a function", ok: (value) => typeof value === "function" },
};

/** @type {Readonly<Record<string, Check>>} */
const OF_LOGS = {
  resume: { must: "be the text of a trajectory", ok: isText },
  replay: { must: "be the text of a trajectory", ok: isText },
  fork: { must: "be {log, iteration, code}", ok: isFork },
};

/** @type {Readonly<Record<string, Check>>} */
const OF_SERVERS = {
  idempotencyKey: { must: 'be 1 to 64 letters, digits, ".", "_", ":" and "-"', ok: isKey },
};

/**
 * @param {unknown} options
 * @param {readonly string[]} settings names of the options of `new RLM`
 * @returns {RLMRunOptions}
 */
export function checkedRunOptions(options, settings) {
  const checked = checkedCall("run", options, { ...OF_ANY_RUN, ...OF_LOGS, ...OF_SERVERS }, settings);
  const logs = Object.keys(OF_LOGS).filter((name) => checked[name] !== undefined);
  if (logs.length > 1) throw configError(`${logs.join(" and ")} exclude each other: a run has one log.`);
  return checked;
}

/**
 * @param {unknown} options
 * @param {readonly string[]} settings
 * @returns {RLMRunOptions}
 */
export function checkedQuestionOptions(options, settings) {
  const log = ["replay", "fork"].find((name) => Object.hasOwn(Object(options), name));
  if (log !== undefined)
    throw configError(`${log} is an option of RLM.run: a question of a session is resumed, or asked anew.`);
  const { resume } = OF_LOGS;
  return checkedCall("run of a session", options, { ...OF_ANY_RUN, resume }, settings);
}

/**
 * @param {unknown} code of a console entry
 * @param {unknown} options
 * @param {readonly string[]} settings
 * @returns {{signal?: AbortSignal}}
 */
export function checkedEntryOptions(code, options, settings) {
  if (typeof code !== "string" || code.trim() === "")
    throw configError(`the code must be text that is not empty, not ${JSON.stringify(shown(code))}.`);
  const { signal } = OF_ANY_RUN;
  return checkedCall("execute", options, { signal }, settings);
}

/**
 * @param {unknown} options of `RLM.session`
 * @param {readonly string[]} settings
 * @returns {import("../rlm.d.ts").RLMEarlierQuestion[]}
 */
export function checkedEarlier(options, settings) {
  const { earlier = [] } = checkedCall("session", options, { earlier: EARLIER }, settings);
  return /** @type {import("../rlm.d.ts").RLMEarlierQuestion[]} */ (earlier);
}

const OF_EARLIER = ["log", "context", "journal"];
/** @type {Check} */
const EARLIER = {
  must: "be a list of {log, context, journal}",
  ok: (value) => Array.isArray(value) && value.every(isEarlier),
};

/** @param {unknown} value */
function isEarlier(value) {
  const { log } = Object(value);
  return isText(log) && Object.keys(Object(value)).every((name) => OF_EARLIER.includes(name));
}

/**
 * @param {string} call
 * @param {unknown} options
 * @param {Readonly<Record<string, Check>>} checks
 * @param {readonly string[]} settings
 * @returns {Record<string, unknown>} without those that are undefined or null
 */
function checkedCall(call, options, checks, settings) {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw configError(`the options of ${call} must be an object, not ${options === null ? "null" : typeof options}.`);
  const known = `Known are ${Object.keys(checks).join(", ")}.`;
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(checks, name)) continue;
    const remedy = settings.includes(name) ? `It is an option of new RLM({ ${name}: ... }).` : known;
    throw configError(`unknown option ${name} of ${call}. ${remedy}`);
  }
  const set = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of set) {
    const { must, ok } = checks[name];
    if (!ok(value)) throw configError(`${name} must ${must}, not ${shown(value)}.`);
  }
  return Object.fromEntries(set);
}

/** @param {unknown} value */
function isSchema(value) {
  return value === true || (typeof value === "object" && !Array.isArray(value));
}

/** @param {unknown} value */
function isText(value) {
  return typeof value === "string";
}

/** @param {unknown} value */
function isKey(value) {
  return typeof value === "string" && /^[A-Za-z0-9._:-]{1,64}$/.test(value);
}

/** @param {unknown} value */
function isFork(value) {
  return (
    typeof value === "object" && Object.keys(Object(value)).every((name) => ["log", "iteration", "code"].includes(name))
  );
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === "object" ? JSON.stringify(value).slice(0, 60) : String(value).slice(0, 60);
}
