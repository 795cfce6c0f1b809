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
 * @property {Record<string, number>} counts those known so far
 * @property {string | null} model
 */

/** The vendors' words for each finish reason. */
const FINISH_WORDS = /** @type {const} */ ({
  stop: "stop end_turn stop_sequence eos eos_token complete completed",
  length:
    "length max_tokens model_length max_output_tokens token_limit max_length repetition_truncation " +
    "model_context_window_exceeded insufficient_system_resource",
  content_filter:
    "content_filter refusal safety sensitive recitation blocklist prohibited_content spii content_filtered",
  tool_calls: "tool_calls function_call tool_use",
});
const REASONS = /** @type {Array<keyof typeof FINISH_WORDS>} */ (Object.keys(FINISH_WORDS));
/** Finish reasons of replies that a fault ended. */
const BROKEN = "error abort aborted cancelled canceled network_error internal_error engine_overloaded".split(" ");
const THOUGHTS = [
  "thinking",
  "reasoning",
  "redacted_thinking",
  "reasoning.text",
  "reasoning_content",
  "thinking_delta",
];
const TEXTS = ["text", "output_text", "text_delta"];
const REASONING = ["reasoning_content", "reasoning", "reasoning_text", "thinking"];
const MESSAGE_EVENT = /^(?:message_(?:start|delta|stop)|content_block_(?:start|delta|stop)|ping)$/;

/** @param {string} finish */
export function isBroken(finish) {
  return BROKEN.includes(finish.toLowerCase());
}

/** @param {string} finish */
export function finishReason(finish) {
  const word = finish.toLowerCase();
  return REASONS.find((reason) => FINISH_WORDS[reason].split(" ").includes(word)) ?? null;
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
  counts: {},
  model: null,
};

/** @param {Record<string, unknown>} value `{choices: [{delta | message, finish_reason}], usage}` */
function chat({ choices }) {
  const sorted = (Array.isArray(choices) ? choices : []).map(fieldsOf).sort((a, b) => numberOf(a) - numberOf(b));
  if (sorted.length === 0) return {};
  const [choice] = sorted;
  const [delta, whole] = [fieldsOf(choice.delta), fieldsOf(choice.message)];
  const body = Object.keys(delta).length > 0 ? delta : whole;
  let { text, thoughts } = textOf(body.content ?? choice.text);
  if (fieldsOf(fieldsOf(body.extra_content).google).thought === true) [text, thoughts] = ["", thoughts + text];
  const refusal = typeof body.refusal === "string" && text === "" ? body.refusal : "";
  const shown = REASONING.map((name) => body[name]).find((reasoning) => reasoning !== undefined && reasoning);
  const finish = wordIn(choice.finish_reason);
  return {
    text: text || refusal,
    reasoning: thoughts + wordIn(shown),
    finish,
    isRefusal: refusal !== "",
    isEnd:
      body === whole && choice.message !== undefined && choice.delta === undefined && (text !== "" || finish !== ""),
    choice: numberOf(choice),
  };
}

/** @param {Record<string, unknown>} choice */
function numberOf({ index }) {
  return typeof index === "number" ? index : 0;
}

/** @param {Record<string, unknown>} value one event of a streamed message */
function messageEvent({ type, delta, content_block }) {
  const fields = fieldsOf(type === "content_block_start" ? content_block : delta);
  const { text, thoughts } = textOf([fields]);
  return { text, reasoning: thoughts, finish: wordIn(fields.stop_reason), isEnd: type === "message_stop" };
}

/** @param {Record<string, unknown>} value a whole message */
function message({ content, stop_reason }) {
  const { text, thoughts } = textOf(content);
  return { text, reasoning: thoughts, finish: wordIn(stop_reason), isEnd: true };
}

/**
 * @param {unknown} content text, one part, or a list of parts
 * @returns {{text: string, thoughts: string}}
 */
function textOf(content) {
  if (typeof content === "string") return { text: content, thoughts: "" };
  const texts = [];
  const thoughts = [];
  for (const part of Array.isArray(content) ? content : [content ?? {}]) {
    if (part !== null && !["object", "string"].includes(typeof part)) throw new NotJson("has content that is not text");
    const { type = "text", text, thinking, reasoning } = fieldsOf(part);
    if (typeof part === "string") texts.push(part);
    else if (THOUGHTS.includes(String(type))) thoughts.push(...stringsIn(thinking || text || reasoning));
    else if (TEXTS.includes(String(type))) texts.push(wordIn(text));
  }
  return { text: texts.join(""), thoughts: thoughts.join("") };
}

/**
 * @param {unknown} value reasoning, which may be parts again
 * @returns {string[]}
 */
function stringsIn(value) {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.flatMap((part) => stringsIn(fieldsOf(part).text ?? part)) : [];
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
  return (
    places.map((place) => countsOf(fieldsOf(fieldsOf(place).usage))).find((counts) => Object.keys(counts).length > 0) ??
    {}
  );
}

/** @param {Record<string, unknown>} usage */
function countsOf(usage) {
  const { prompt_tokens_details, input_tokens_details, cost } = usage;
  const details = fieldsOf(prompt_tokens_details ?? input_tokens_details);
  /** @type {Record<string, number>} */
  const counts = {};
  const take = (/** @type {string} */ name, /** @type {unknown[]} */ values) => {
    const count = values.map(tokenCount).find((number) => number !== null);
    if (count !== undefined && count !== null) counts[name] = count;
  };
  take("input", [usage.prompt_tokens, usage.input_tokens, usage.promptTokens]);
  take("output", [usage.completion_tokens, usage.output_tokens, usage.completionTokens]);
  take("cached", [details.cached_tokens, usage.prompt_cache_hit_tokens, usage.cache_read_input_tokens]);
  take("written", [usage.cache_creation_input_tokens]);
  const isApart = "cache_read_input_tokens" in usage || "written" in counts; // Anthropic's dialect
  if ("input" in counts && isApart) counts.input += (counts.cached ?? 0) + (counts.written ?? 0);
  const [total, input] = [tokenCount(usage.total_tokens) ?? 0, counts.input ?? 0];
  if (total > input + (counts.output ?? 0)) {
    if ("input" in counts)
      counts.output = total - input; // some vendors count thoughts in the total alone
    else counts.input = total - (counts.output ?? 0);
  }
  if (typeof cost === "number" && cost >= 0) counts.cost = cost;
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
