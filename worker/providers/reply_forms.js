// @ts-check
// Reply forms: where the servers of each dialect put text, reasoning, finish reason and usage.
//
// In: one JSON value of a reply, an event of a stream or the whole. Out: a part of the reply, or null for a value that is
// none. The same forms as server/rlm_server/providers/reply_forms.py.

import { fieldsOf } from "../wire/schema.js";
import { NotJson } from "./vendor_events.js";

/**
 * @typedef {object} Part
 * @property {string} text
 * @property {string} reasoning
 * @property {string} finish the finish reason in the vendor's words, or empty
 * @property {boolean} isRefusal whether the text says that the model will not answer
 * @property {boolean} isEnd whether nothing follows
 * @property {number | null} choice number of the reply among several that come at once
 * @property {boolean} isMessage whether the text is all of the message, which may come once more behind its pieces
 * @property {boolean} callsTool whether the model calls a tool
 * @property {Record<string, number>} counts those known so far
 * @property {string | null} model
 */

/** The vendors' words for each finish reason. */
const FINISH_WORDS = /** @type {const} */ ({
  stop: "stop end_turn stop_sequence eos eos_token complete completed finished done end eot eog stop_token",
  length:
    "length max_tokens model_length max_output_tokens token_limit max_length repetition_truncation truncated " +
    "length_exceeded incomplete max_new_tokens max_completion_tokens error_limit context_length " +
    "context_length_exceeded max_context_length model_context_window_exceeded insufficient_system_resource",
  content_filter:
    "content_filter refusal safety sensitive recitation blocklist prohibited_content spii content_filtered " +
    "guardrail_intervened language image_safety moderation error_toxic model_armor",
  tool_calls:
    "tool_calls function_call tool_use tool_call function_calls malformed_function_call malformed_tool_call " +
    "unexpected_tool_call",
});
const REASONS = /** @type {Array<keyof typeof FINISH_WORDS>} */ (Object.keys(FINISH_WORDS));
/** Finish reasons of replies that a fault ended. */
const BROKEN =
  "error abort aborted cancelled canceled failed failure timeout network_error internal_error server_error " +
  "internal_server_error model_error engine_error inference_error engine_overloaded";
const THOUGHTS = [
  "thinking",
  "reasoning",
  "redacted_thinking",
  "reasoning.text",
  "reasoning_content",
  "thinking_delta",
];
const TEXTS = ["text", "output_text", "text_delta"];
const REASONING = [
  "reasoning_content",
  "reasoning",
  "reasoning_text",
  "thinking",
  "thinking_content",
  "reasoning_details",
  "reasoning_summary",
  "thoughts",
  "thought",
];
/** Where a part of a text or of reasoning has its words. */
const WORDS = ["text", "thinking", "content", "summary", "reasoning", "value"];
/** Type of a part by which the model calls a tool of ours; there is none. */
const TOOL = "tool_use";
const MESSAGE_EVENT = /^(?:message_(?:start|delta|stop)|content_block_(?:start|delta|stop)|ping)$/;

/** @param {string} finish */
export function isBroken(finish) {
  return BROKEN.split(" ").includes(plain(finish));
}

/** @param {string} finish */
export function finishReason(finish) {
  const word = plain(finish);
  return REASONS.find((reason) => FINISH_WORDS[reason].split(" ").includes(word)) ?? null;
}

/** A finish reason in the one spelling of the tables: `FINISH_REASON_MAX_TOKENS`, `content-filter`. */
function plain(/** @type {string} */ finish) {
  return finish
    .trim()
    .toLowerCase()
    .replaceAll(/[- ]/g, "_")
    .replace(/^finish_reason_/, "");
}

/**
 * @param {unknown} value
 * @returns {Part | null} null for a value that has none of the forms
 */
export function partOf(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = fieldsOf(value);
  const counts = { counts: countsIn(fields), model: modelIn(fields) };
  if ("choices" in fields) return { ...NOTHING, ...counts, ...chat(fields) };
  if (MESSAGE_EVENT.test(String(fields.type))) return { ...NOTHING, ...counts, ...messageEvent(fields) };
  if (Array.isArray(fields.content)) return { ...NOTHING, ...counts, ...message(fields) };
  if (typeof fields.done === "boolean") return { ...NOTHING, ...counts, ...ollama(fields) };
  const isKnown = ["id", "object", "usage"].some((name) => name in fields) || typeof fields.type === "string";
  return isKnown || Object.keys(fields).length === 0 ? { ...NOTHING, ...counts } : null;
}

/** @type {Part} */
const NOTHING = {
  text: "",
  reasoning: "",
  finish: "",
  isRefusal: false,
  isEnd: false,
  choice: null,
  isMessage: false,
  callsTool: false,
  counts: {},
  model: null,
};

/** @param {Record<string, unknown>} value `{choices: [{delta | message, finish_reason}], usage}` */
function chat({ choices, object, usage }) {
  const known = (choicesIn(choices) ?? []).filter((choice) => choice !== null);
  const sorted = known.map(fieldsOf).sort((a, b) => numberOf(a) - numberOf(b));
  if (sorted.length === 0) return {};
  const [choice] = sorted;
  const [delta, whole] = [fieldsOf(choice.delta), fieldsOf(choice.message)];
  const isMessage = Object.keys(delta).length === 0 && Object.keys(whole).length > 0;
  const body = isMessage ? whole : delta;
  let { text, thoughts } = textOf([body.content, body.text, choice.text].find((part) => part !== "" && part != null));
  if (fieldsOf(fieldsOf(body.extra_content).google).thought === true) [text, thoughts] = ["", thoughts + text];
  const refusal = text === "" ? refusalIn(body) : "";
  const shown = REASONING.map((name) => stringsIn(body[name]).join("")).find((reasoning) => reasoning !== "") ?? "";
  const finish = choice.finish_reason === "null" ? "" : wordIn(choice.finish_reason);
  const isAll = finish !== "" || object === "chat.completion" || usage !== undefined;
  return {
    text: text || refusal,
    reasoning: thoughts + shown,
    finish,
    isRefusal: refusal !== "",
    isEnd: isMessage && choice.delta === undefined && isAll,
    choice: numberOf(choice),
    isMessage,
    callsTool: hasCall(body),
  };
}

/**
 * @param {unknown} choices
 * @returns {unknown[] | null}
 */
function choicesIn(choices) {
  if (choices === null) return null;
  if (!Array.isArray(choices)) throw new NotJson("has choices that are not a list");
  const isNone = (/** @type {unknown} */ choice) => typeof choice !== "object" || Array.isArray(choice);
  if (choices.some(isNone)) throw new NotJson("has choices that are not objects");
  return choices;
}

/** @param {Record<string, unknown>} body */
function hasCall({ tool_calls, function_call }) {
  return [tool_calls, function_call].some((call) => typeof call === "object" && Object.keys(call ?? {}).length > 0);
}

/**
 * The words with which the model refuses: a field, or a part of the content.
 * @param {Record<string, unknown>} body
 */
function refusalIn(body) {
  const parts = Array.isArray(body.content) ? body.content.map(fieldsOf) : [];
  return [body, ...parts].map(({ refusal }) => wordIn(refusal)).join("");
}

/** @param {Record<string, unknown>} choice */
function numberOf({ index }) {
  const number = typeof index === "string" && /^\d{1,6}$/.test(index) ? Number(index) : index;
  return typeof number === "number" ? Math.trunc(number) : 0;
}

/** @param {Record<string, unknown>} value one event of a streamed message */
function messageEvent({ type, delta, content_block }) {
  const fields = fieldsOf(type === "content_block_start" ? content_block : delta);
  const hasWords =
    type === "content_block_start" ? fields.text || fields.thinking : "text" in fields || "thinking" in fields;
  const { text, thoughts } = textOf(hasWords ? [fields] : []);
  const [finish, callsTool] = [wordIn(fields.stop_reason), fields.type === TOOL && type === "content_block_start"];
  return { text, reasoning: thoughts, finish, isEnd: type === "message_stop", callsTool };
}

/** @param {Record<string, unknown>} value `{message: {content, thinking}, done, done_reason}`, and counts at its end */
function ollama({ message, done, done_reason, ...counts }) {
  const { content, thinking } = fieldsOf(message);
  const { text, thoughts } = textOf(content);
  const finish = done === true ? wordIn(done_reason) || "stop" : "";
  const reasoning = thoughts + wordIn(thinking);
  const called = hasCall(fieldsOf(message));
  return {
    text,
    reasoning,
    finish,
    isEnd: done === true,
    callsTool: called,
    ...(done === true ? { counts: countsOf(counts) } : {}),
  };
}

/** @param {Record<string, unknown>} value a whole message */
function message({ content, stop_reason }) {
  const { text, thoughts } = textOf(content);
  const callsTool = Array.isArray(content) && content.some((part) => fieldsOf(part).type === TOOL);
  return { text, reasoning: thoughts, finish: wordIn(stop_reason), isEnd: true, callsTool };
}

/**
 * @param {unknown} content text, one part, or a list of parts
 * @returns {{text: string, thoughts: string}}
 */
function textOf(content) {
  if (typeof content === "string") return { text: content, thoughts: "" };
  const texts = [];
  const thoughts = [];
  for (const part of partsOf(content ?? [])) {
    if (typeof part !== "object" || part === null) throw new NotJson("has content that is not text");
    const { type = "text", text } = fieldsOf(part);
    if (THOUGHTS.includes(String(type))) thoughts.push(...stringsIn(part));
    if (!TEXTS.includes(String(type))) continue;
    if (typeof text !== "string" && Object.keys(fieldsOf(text)).length === 0)
      throw new NotJson("has a text part without text");
    texts.push(...stringsIn(text));
  }
  return { text: texts.join(""), thoughts: thoughts.join("") };
}

/**
 * @param {unknown} content
 * @returns {unknown[]}
 */
function partsOf(content) {
  if (Array.isArray(content)) return content;
  const { parts, type } = fieldsOf(content);
  if (Array.isArray(parts)) return parts;
  if (type === undefined) throw new NotJson("has content that is not text");
  return [content];
}

/**
 * @param {unknown} value text or reasoning, which may be parts again
 * @returns {string[]}
 */
function stringsIn(value) {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(stringsIn);
  const words = WORDS.map((name) => fieldsOf(value)[name]).find((part) => part !== "" && part != null);
  return words === undefined ? [] : stringsIn(words);
}

/** @param {unknown} value */
function wordIn(value) {
  return typeof value === "string" ? value : "";
}

/** @param {Record<string, unknown>} value */
function modelIn({ model, message }) {
  return wordIn(model) || wordIn(fieldsOf(message).model) || null;
}

/**
 * The counts of the first place that holds some.
 * @param {Record<string, unknown>} value
 */
function countsIn(value) {
  const choice = fieldsOf(Array.isArray(value.choices) ? value.choices[0] : null);
  const places = [value, choice, choice.delta, choice.message, value.x_groq, value.message];
  const usages = [...places.map((place) => fieldsOf(place).usage), value.usageMetadata];
  return usages.map((usage) => countsOf(fieldsOf(usage))).find((counts) => Object.keys(counts).length > 0) ?? {};
}

/** @param {Record<string, unknown>} usage */
function countsOf(usage) {
  const { prompt_tokens_details, input_tokens_details, tokens, billed_units } = usage;
  const details = [prompt_tokens_details, input_tokens_details].map((part) => fieldsOf(part).cached_tokens);
  const [counted, billed] = [fieldsOf(tokens), fieldsOf(billed_units)];
  /** @type {Record<string, number>} */
  const counts = {};
  const take = (/** @type {string} */ name, /** @type {unknown[]} */ values) => {
    const count = values.map(tokenCount).find((number) => number !== null);
    if (count !== undefined && count !== null) counts[name] = count;
  };
  take("input", [
    usage.prompt_tokens,
    usage.input_tokens,
    usage.prompt_eval_count,
    usage.promptTokens,
    usage.inputTokens,
    usage.promptTokenCount,
    counted.input_tokens,
    billed.input_tokens,
  ]);
  take("output", [
    usage.completion_tokens,
    usage.output_tokens,
    usage.eval_count,
    usage.completionTokens,
    usage.outputTokens,
    usage.candidatesTokenCount,
    counted.output_tokens,
    billed.output_tokens,
  ]);
  take("cached", [
    ...details,
    usage.cached_tokens,
    usage.prompt_cache_hit_tokens,
    usage.cache_read_input_tokens,
    usage.cachedContentTokenCount,
  ]);
  take("written", [usage.cache_creation_input_tokens]);
  const isOfAnthropic = "cache_read_input_tokens" in usage || "written" in counts;
  const isApart = isOfAnthropic && !("prompt_tokens" in usage); // of which they are a part, as proxies count
  if ("input" in counts && isApart) counts.input += (counts.cached ?? 0) + (counts.written ?? 0);
  const totals = [usage.total_tokens, usage.totalTokens, usage.totalTokenCount].map(tokenCount);
  const [total, input] = [totals.find((count) => count !== null) ?? 0, counts.input ?? 0];
  if (total > input + (counts.output ?? 0)) {
    if ("input" in counts)
      counts.output = total - input; // some vendors count thoughts in the total alone
    else counts.input = total - (counts.output ?? 0);
  }
  const cost = fieldsOf(usage.cost).total_cost ?? usage.cost;
  if (typeof cost === "number" && cost >= 0 && cost < 1e9) counts.cost = cost;
  return counts;
}

/**
 * A number of tokens, null for anything that is none; a number may be written as text.
 * @param {unknown} value
 */
function tokenCount(value) {
  const number = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && number >= 0 && number < 1e12 ? Math.trunc(number) : null;
}
