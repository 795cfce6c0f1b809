// @ts-check
// Workarounds: known ways round a request that a server refuses because it speaks a little differently.
//
// In: the body that was sent and the words of the refusal. Out: the change that the next body gets. A row applies only to a
// body that holds its cause, so that none is tried twice. The same rules as server/rlm_server/providers/workarounds.py.

import { fieldsOf } from "../wire/schema.js";

/** @typedef {{model: string, messages: {role: string, content: unknown}[]} & Record<string, unknown>} Body */
/** @typedef {(body: Body) => Body} Change */
/**
 * `isOfSchema`: the change holds for calls with the same schema only.
 * @typedef {{words: RegExp, holds: (body: Body) => boolean, change: (body: Body, number: number) => Body, isOfSchema?: boolean}} Row
 */

const OUTPUT_FIELDS = ["max_tokens", "max_completion_tokens"];
const REFUSING = [400, 404, 405, 409, 415, 422, 500, 501];

/** @param {string[]} names */
const has =
  (...names) =>
  (/** @type {Body} */ body) =>
    names.some((name) => body[name] !== undefined);
/** @param {string[]} names */
const without =
  (...names) =>
  (/** @type {Body} */ body) => ({ ...body, ...Object.fromEntries(names.map((name) => [name, undefined])) });
/**
 * @param {string} old
 * @param {string} name
 */
const renamed = (old, name) => (/** @type {Body} */ body) => ({ ...body, [name]: body[old], [old]: undefined });

/** @type {Row[]} */
const ROWS = [
  { words: /stream_?options|include_?usage/, holds: has("stream_options"), change: without("stream_options") },
  {
    words:
      /to stream this model|stream(?:ing|ed)?\b.{0,40}\b(?:not|un)(?: be)? ?(?:supported|allowed|available|enabled|implemented)|stream(?:ing|ed)?\b.{0,40}\bdisabled|\bstream\W{0,3} (?:must|should) be false|not (?:support|allow).{0,20}\bstream|"param": ?"stream"|unsupported.{0,40}\bstream\b/,
    holds: has("stream"),
    change: without("stream", "stream_options"),
  },
  {
    words:
      /\bsystem\b.{0,40}\b(?:not|un)(?: be)? ?(?:supported|allowed|available|enabled)|not support.{0,20}\bsystem\b|developer instruction is not enabled|role.{0,20}must.{0,20}alternate|only user and assistant roles|(?:expected|should be).{0,5}user.{1,2} or .{1,2}assistant/,
    holds: ({ messages }) => messages.some(({ role }) => role === "system"),
    change: systemInUser,
  },
  {
    words: /max_completion_tokens/,
    holds: has("max_tokens"),
    change: renamed("max_tokens", "max_completion_tokens"),
  },
  {
    words:
      /max_completion_tokens.{0,80}(?:extra|unsupported|unrecognized|unknown|not (?:supported|permitted|allowed))|(?:extra|unsupported|unrecognized|unknown|not (?:supported|permitted|allowed)).{0,80}max_completion_tokens/,
    holds: has("max_completion_tokens"),
    change: renamed("max_completion_tokens", "max_tokens"),
  },
  {
    words:
      /\d+ ?> ?(\d+), which is the maximum allowed number of output tokens|supports at most (\d+) (?:completion|output) tokens|(?:max(?:_completion|_output|_new)?_tokens|maximum tokens).{0,60}(?:less than or equal to|at most|<=|cannot exceed|greater than|maximum(?: value)?(?: is| of)|\[\d+, ?|exceeds the (?:model )?limit)\D{0,5}(\d[\d,]*)|maximum (?:value )?(?:for|of) \W?max(?:_completion|_output|_new)?_tokens\W? is \W?(\d[\d,]*)/,
    holds: has(...OUTPUT_FIELDS),
    change: capped,
  },
  {
    words: /cache_control|\b(?:system|content)\b.{0,40}(?:should|must) be a (?:valid )?string/,
    holds: (body) => JSON.stringify([body.system, body.messages[body.messages.length - 1]]).includes('"cache_control"'),
    change: uncached,
  },
  {
    words:
      /response_format|output_config|output_format|json_?schema|structured.output|schema|grammar|guided|\bformat\b/,
    holds: (body) => schemaOf(body) !== "",
    change: withoutSchema,
    isOfSchema: true,
  },
];

/**
 * @param {Body} body
 * @param {number} status
 * @param {string} text the body of the refusal
 * @returns {Change | null}
 */
export function workaroundFor(body, status, text) {
  if (!REFUSING.includes(status)) return null;
  const words = text.toLowerCase();
  const row = ROWS.find(({ holds, words: pattern }) => holds(body) && pattern.test(words));
  if (row === undefined) return null;
  const group = (row.words.exec(words) ?? []).slice(1).find((text) => text !== undefined) ?? "0";
  const number = Number(group.replaceAll(",", ""));
  const schema = schemaOf(body);
  const isMeant = (/** @type {Body} */ next) => row.holds(next) && (!row.isOfSchema || schemaOf(next) === schema);
  return (next) => (isMeant(next) ? row.change(next, number) : next);
}

/**
 * The schema that the vendor keeps a reply to, as text; empty without one.
 * @param {Body} body
 */
function schemaOf({ response_format, output_config }) {
  const { format = response_format } = fieldsOf(output_config);
  return format === undefined ? "" : JSON.stringify(format);
}

/**
 * The prompt ends with the schema too, and whoever asked checks the reply.
 * @param {Body} body
 */
function withoutSchema({ response_format: _, output_config, ...body }) {
  const { format: __, ...config } = fieldsOf(output_config);
  return Object.keys(config).length > 0 ? { ...body, output_config: config } : body;
}

/**
 * The system message as the beginning of the first message of the user.
 * @param {Body} body
 */
function systemInUser(body) {
  const system = body.messages.filter(({ role }) => role === "system").map(({ content }) => content);
  const [first, ...others] = body.messages.filter(({ role }) => role !== "system");
  const text = system.join("\n\n");
  if (first?.role !== "user" || typeof first.content !== "string")
    return { ...body, messages: [{ role: "user", content: text }, ...(first === undefined ? [] : [first]), ...others] };
  return { ...body, messages: [{ ...first, content: `${text}\n\n${first.content}` }, ...others] };
}

/**
 * @param {Body} body
 * @param {number} most
 */
function capped(body, most) {
  const cap = (/** @type {unknown} */ value) => (typeof value === "number" ? Math.min(value, most) : value);
  return { ...body, ...Object.fromEntries(OUTPUT_FIELDS.map((name) => [name, cap(body[name])])) };
}

/**
 * The same text without marks for the vendor's cache.
 * @param {Body} body
 */
function uncached({ system, ...body }) {
  const messages = body.messages.map(({ role, content }) => ({ role, content: plain(content) }));
  return { ...body, system: plain(system), messages };
}

/** @param {unknown} content */
function plain(content) {
  if (!Array.isArray(content)) return content;
  const isText = content.every((part) => fieldsOf(part).type === "text");
  return isText ? content.map((part) => fieldsOf(part).text).join("") : content;
}
