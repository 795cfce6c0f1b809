// @ts-check
// Job: what the caller gave -> what the worker is started with.
//
// In: options, question and context as a user of the package passes them. Out: a job of plain data, or a ConfigError
// that names the argument, what it was and what it may be. Nothing runs here.

import { configError } from "./wire/errors.js";
import { checkedJson } from "./wire/json.js";
import { LIMITS, RESERVED_NAMES } from "./wire/protocol.js";

/**
 * @typedef {import("./wire/protocol.js").JobContext} JobContext
 * @typedef {import("./wire/protocol.js").JobTool} JobTool
 * @typedef {import("./wire/protocol.js").LimitFacts} LimitFacts
 * @typedef {import("./wire/protocol.js").StartJob} StartJob
 */

/**
 * Options of the class RLM, checked, with defaults filled in.
 * @typedef {object} Settings
 * @property {string} endpoint
 * @property {string} assets
 * @property {import("./boot/runtime.js").HostKind} host
 * @property {import("./wire/protocol.js").Ready["level"]} containment
 * @property {string | null} model
 * @property {string | null} subModel
 * @property {string[] | null} allowedModels beside these two
 * @property {string | null} systemPrompt
 * @property {StartJob["limits"]} limits
 * @property {JobTool[]} tools
 * @property {JobTool[] | null} subTools
 * @property {import("./wire/types.d.ts").Functions} functions
 * @property {((iteration: import("./rlm.d.ts").RLMIteration) => void) | null} onIteration
 * @property {((call: {prompt: string, model: string | null}) => void) | null} onSubLLMCall
 * @property {((event: import("./wire/protocol.js").Event) => void) | null} onEvent
 * @property {import("./rlm.d.ts").RLMOptions["onEgress"] | null} onEgress
 * @property {boolean | string | null} journal
 * @property {boolean} keepContext
 */

const IDENTIFIER = /^[\p{XID_Start}_][\p{XID_Continue}]*$/u;
const OF_SESSIONS = /^(?:context|history)(?:_\d+)?$/;
const SHOWN_CHARS = 60;
const READ_AT_ONCE = 64;

/**
 * Each option's check: gives the value to use, or null when it is impossible, with what it may be.
 * @type {Record<string, {otherwise: unknown, must: string, ok: (value: unknown) => boolean}>}
 */
export const OPTIONS = {
  endpoint: { otherwise: "/api/rlm", must: "be a URL", ok: isName },
  assets: { otherwise: new URL("./assets/", import.meta.url).href, must: "be the URL of a folder", ok: isName },
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
  ...Object.fromEntries(Object.entries(LIMITS).map(([option, facts]) => [option, limitCheck(facts)])),
  systemPrompt: { otherwise: null, must: "be text", ok: isName },
  tools: { otherwise: {}, must: "be an object of name and tool", ok: isRecord },
  subTools: { otherwise: null, must: "be an object of name and tool", ok: isRecord },
  onIteration: { otherwise: null, must: "be a function", ok: isFunction },
  onSubLLMCall: { otherwise: null, must: "be a function", ok: isFunction },
  onEvent: { otherwise: null, must: "be a function", ok: isFunction },
  onEgress: { otherwise: null, must: "be a function", ok: isFunction },
  journal: { otherwise: null, must: "be true, false or a short name", ok: isJournal },
  keepContext: { otherwise: false, must: "be true or false", ok: (value) => typeof value === "boolean" },
};

/** @returns {Settings} */
export function checkedSettings(/** @type {unknown} */ options) {
  const given = /** @type {Record<string, unknown>} */ (options);
  if (typeof options !== "object" || options === null)
    throw configError(`the options must be an object, not ${shown(options)}.`);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined)
    throw configError(`unknown option ${unknown}. Known are ${Object.keys(OPTIONS).join(", ")}.`);
  const checked = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { otherwise, must, ok }]) => {
      const value = given[name] ?? otherwise;
      if (value !== null && !ok(value)) throw configError(`${name} must ${must}, not ${shown(value)}.`);
      return [name, value];
    }),
  );
  if (checked.keepContext && !checked.journal)
    throw configError("keepContext keeps the context beside the journal: set journal as well.");
  const own = toolsOf(/** @type {Record<string, unknown>} */ (checked.tools));
  const below = checked.subTools === null ? null : toolsOf(/** @type {Record<string, unknown>} */ (checked.subTools));
  const functions = { tools: own.functions, subTools: below?.functions ?? null };
  const assets = new URL(String(checked.assets), document.baseURI).href;
  const tools = { tools: own.tools, subTools: below?.tools ?? null, functions };
  return /** @type {Settings} */ ({ ...checked, ...tools, assets, limits: limitsOf(checked) });
}

/**
 * @param {Settings} settings
 * @param {unknown} prompt
 * @param {unknown} context
 * @returns {StartJob}
 */
export function jobOf(settings, prompt, context) {
  if (typeof prompt !== "string" || prompt.trim() === "")
    throw configError(`the question must be text that is not empty, not ${shown(prompt)}.`);
  const { model, subModel, systemPrompt, tools, subTools } = settings;
  return {
    question: prompt,
    model,
    sub_model: subModel,
    system_prompt: systemPrompt,
    limits: settings.limits,
    tools,
    sub_tools: subTools,
    contexts: contextsOf(context),
    path: [],
    session: null,
    past: [],
  };
}

/** The fields of the core's `Limits`, in its units. @returns {StartJob["limits"]} */
function limitsOf(/** @type {Record<string, unknown>} */ checked) {
  return Object.fromEntries(
    Object.entries(LIMITS).map(([option, { name, scale }]) => {
      const value = checked[option];
      return [name, typeof value === "number" ? value / scale : null];
    }),
  );
}

/** The row of a limit in `OPTIONS`, in the option's unit. */
function limitCheck(/** @type {LimitFacts} */ { default: usual, least, most, whole, off, scale, unit }) {
  const otherwise = usual === null ? null : usual * scale;
  if (whole) return { otherwise, must: `be a whole number of at least ${least}`, ok: wholeFrom(least) };
  const of = scale === 1_000 ? ` of milli${unit}` : ` of ${unit}`;
  const must = `be a number${most === null ? of : ""} above 0${most === null ? "" : ` and up to ${most}`}`;
  const fits = (/** @type {unknown} */ value) => isAboveZero(value) && Number(value) <= (most ?? Infinity);
  return off
    ? { otherwise, must: `${must}, or false`, ok: (/** @type {unknown} */ value) => value === false || fits(value) }
    : { otherwise, must, ok: fits };
}

// -------------------------------------------------------------------------------------------------------------- tools

/** The tools as the worker is told of them, and the functions among them, which stay here. */
function toolsOf(/** @type {Record<string, unknown>} */ given) {
  /** @type {Record<string, import("./wire/types.d.ts").RLMFunction>} */
  const functions = {};
  const tools = Object.entries(given).map(([name, tool]) => toolOf(name, tool, functions));
  return { tools, functions };
}

/**
 * @param {string} name
 * @param {unknown} given
 * @param {Record<string, import("./wire/types.d.ts").RLMFunction>} functions takes it, if it is one
 * @returns {JobTool}
 */
function toolOf(name, given, functions) {
  if (!IDENTIFIER.test(name))
    throw configError(`tool "${name}": the name must be a Python identifier, as it becomes a variable.`);
  if (RESERVED_NAMES.includes(name) || OF_SESSIONS.test(name))
    throw configError(`tool "${name}": the name is reserved; choose another.`);
  const { tool, description = "" } = isDescribed(given) ? given : { tool: given };
  if (typeof description !== "string")
    throw configError(`tool "${name}": description must be text, not ${shown(description)}.`);
  if (typeof tool !== "function")
    return { name, description, value: checkedJson(tool, `tool "${name}"`), function: false };
  functions[name] = /** @type {import("./wire/types.d.ts").RLMFunction} */ (tool);
  return { name, description, value: null, function: true };
}

/** @returns {given is {tool: unknown, description?: unknown}} */
function isDescribed(/** @type {unknown} */ given) {
  return (
    typeof given === "object" &&
    given !== null &&
    Object.hasOwn(given, "tool") &&
    Object.keys(given).every((key) => key === "tool" || key === "description")
  );
}

// ------------------------------------------------------------------------------------------------------------ context

/** @returns {JobContext[]} */
function contextsOf(/** @type {unknown} */ context) {
  if (context === undefined || context === null) return [];
  if (typeof context === "string") return [encoded("text", context)];
  if (context instanceof Blob) return filesOf([context]);
  if (Array.isArray(context) && context.length > 0 && context.every((item) => item instanceof Blob))
    return filesOf(context);
  const bytes = bytesOf(context);
  if (bytes) return [{ name: "context", type: "bytes", data: bytes }];
  return [encoded("json", JSON.stringify(checkedJson(context, "context")))];
}

/** @returns {JobContext} */
function encoded(/** @type {"text" | "json"} */ type, /** @type {string} */ text) {
  return {
    name: "context",
    type,
    data: new TextEncoder().encode(text).buffer,
  };
}

/**
 * Make sure that the job's files are still there: one that was changed or deleted since it was chosen cannot be read.
 * @param {StartJob} job
 */
export async function checkReadable({ contexts }) {
  for (let index = 0; index < contexts.length; index += READ_AT_ONCE)
    await Promise.all(contexts.slice(index, index + READ_AT_ONCE).map(checkFile));
}

async function checkFile(/** @type {JobContext} */ { name, data }) {
  if (!(data instanceof Blob)) return;
  await data
    .slice(0, 1)
    .arrayBuffer()
    .catch((/** @type {DOMException} */ error) => {
      throw configError(
        `the file "${name}" cannot be read (${error.name}): it was changed or deleted. Choose it again.`,
      );
    });
}

/** A copy: it is transferred, and what is the caller's must stay the caller's. */
function bytesOf(/** @type {unknown} */ value) {
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (!ArrayBuffer.isView(value)) return null;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice().buffer;
}

/** @returns {JobContext[]} */
function filesOf(/** @type {Blob[]} */ files) {
  const taken = new Set();
  return files.map((data, index) => {
    const name = freeName(pathOf(data) || `file-${index + 1}`, taken);
    taken.add(name);
    return { name, type: "file", data };
  });
}

/** The file's path below the mount point: no empty, `.` or `..` part. */
function pathOf(/** @type {Blob} */ file) {
  const path = file instanceof File ? file.webkitRelativePath || file.name : "";
  return path
    .split(/[/\\]/)
    .filter((part) => !["", ".", ".."].includes(part))
    .join("/");
}

/** `name`, or `name (2)` and so on when it is taken. */
function freeName(/** @type {string} */ name, /** @type {Set<string>} */ taken) {
  const [, stem, suffix] = /** @type {RegExpExecArray} */ (/^(.*?)(\.[^./]*)?$/s.exec(name));
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${stem} (${number})${suffix ?? ""}`;
  return free;
}

// ------------------------------------------------------------------------------------------------------------- checks

function isName(/** @type {unknown} */ value) {
  return typeof value === "string" && value.trim() !== "";
}

function isNames(/** @type {unknown} */ value) {
  return Array.isArray(value) && value.every(isName);
}

function isJournal(/** @type {unknown} */ value) {
  return typeof value === "boolean" || /^[A-Za-z0-9._:-]{1,64}$/.test(String(value));
}

function isFunction(/** @type {unknown} */ value) {
  return typeof value === "function";
}

function isAboveZero(/** @type {unknown} */ value) {
  return Number.isFinite(value) && Number(value) > 0;
}

function isRecord(/** @type {unknown} */ value) {
  return typeof value === "object" && !Array.isArray(value);
}

function wholeFrom(/** @type {number} */ least) {
  return (/** @type {unknown} */ value) => Number.isSafeInteger(value) && Number(value) >= least;
}

function shown(/** @type {unknown} */ value) {
  return typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN_CHARS)) : String(value).slice(0, SHOWN_CHARS);
}
