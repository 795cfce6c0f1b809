// @ts-check
// OpenAI chat: a provider of the page for `POST /chat/completions`, as OpenAI, OpenRouter, Ollama, vLLM and others speak it.
//
// In: the address and a person's own key, which stays in this closure. Out: a provider function. The vendor's CORS must
// allow the page.

import { providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";
import { openaiForm } from "./schema_forms.js";
import { merged } from "./turns.js";
import { checkedBase, checkedKey, chosenModel, cutOff, repliesOf, tokens } from "./vendor.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {import("../wire/types.d.ts").RLMProviderCall} RLMProviderCall
 * @typedef {import("../wire/types.d.ts").RLMProviderReply} RLMProviderReply
 */

const NAME = "openaiChat";
const VENDOR_URL = "https://api.openai.com/v1";
/** @type {Record<string, RLMProviderReply["finishReason"]>} */
const FINISH = {
  stop: "stop",
  length: "length",
  content_filter: "content_filter",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
};

/**
 * @param {import("./openai_chat.d.ts").OpenAIChatOptions} [options]
 * @returns {RLMProvider}
 */
export function openaiChat({ baseURL = VENDOR_URL, apiKey, model = null, headers = {}, ...facts } = {}) {
  const base = checkedBase(NAME, baseURL);
  const key = checkedKey(NAME, apiKey);
  const sent = { ...headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };

  /** @type {RLMProvider} */
  const provider = async ({ signal, onDelta, ...call }) => {
    const body = bodyOf(call, { model: chosenModel(NAME, call.model, model), isVendor: base === VENDOR_URL });
    const ask = (/** @type {object} */ posted) =>
      replyOf(repliesOf(`${base}/chat/completions`, { headers: sent, body: posted, signal }), { base, onDelta });
    return ask(body).catch((fault) => {
      if (!("response_format" in body && fault.status === 400 && fault.type === "upstream-call-refused")) throw fault;
      const { response_format: _, ...plain } = body; // the vendor has no such schemas: the prompt ends with it too
      return ask(plain);
    });
  };
  return Object.assign(provider, { label: new URL(base).host, ...facts });
}

/**
 * @param {Omit<RLMProviderCall, "signal" | "onDelta">} call
 * @param {{model: string, isVendor: boolean}} request
 */
function bodyOf({ messages, images, schema, options }, { model, isVendor }) {
  const turns = merged(messages).map(({ role, content }) => ({ role, content: /** @type {unknown} */ (content) }));
  const last = turns[turns.length - 1];
  if (images.length > 0) last.content = [...images.map(imagePart), { type: "text", text: last.content }];
  const { temperature, topP: top_p, maxOutputTokens, reasoningEffort: reasoning_effort, seed } = options;
  const longest = { [isVendor ? "max_completion_tokens" : "max_tokens"]: maxOutputTokens };
  const chosen = { temperature, top_p, ...longest, reasoning_effort, seed };
  const streamed = { stream: true, stream_options: { include_usage: true } };
  return { model, messages: turns, ...chosen, ...openaiForm(schema), ...streamed }; // JSON leaves out what is undefined
}

/** @param {{type: string, data: string}} image */
function imagePart({ type, data }) {
  return { type: "image_url", image_url: { url: `data:${type};base64,${data}` } };
}

/**
 * @param {AsyncGenerator<Record<string, unknown>>} values
 * @param {{base: string, onDelta: (text: string) => void}} reader
 * @returns {Promise<RLMProviderReply>}
 */
async function replyOf(values, { base, onDelta }) {
  const { host } = new URL(base);
  const texts = [];
  const thoughts = [];
  let finish = "";
  let model = null;
  /** @type {RLMProviderReply["usage"]} */
  let usage = {};
  let isRead = false;
  for await (const value of values) {
    const choice = fieldsOf(Array.isArray(value.choices) ? value.choices[0] : null);
    const part = fieldsOf(choice.delta ?? choice.message);
    const text = textOf(part.content) || textOf(part.refusal);
    texts.push(text);
    thoughts.push(textOf(part.reasoning_content ?? part.reasoning));
    isRead ||= Array.isArray(value.choices);
    if (typeof choice.finish_reason === "string") finish = choice.finish_reason;
    if (typeof part.refusal === "string" && part.refusal !== "") finish = "content_filter";
    if (typeof value.model === "string" && value.model !== "") model = value.model;
    if (typeof value.usage === "object" && value.usage !== null) usage = usageOf(fieldsOf(value.usage));
    onDelta(text);
  }
  if (!isRead)
    throw providerError(`${host} answered with something that is no reply. Check the base URL.`, {
      type: "upstream-malformed",
    });
  if (finish === "") throw cutOff(host);
  const [text, reasoning] = [texts.join(""), thoughts.join("")];
  return { text, model, usage, finishReason: FINISH[finish.toLowerCase()] ?? null, reasoning };
}

/** @param {unknown} content text, or a list of parts */
function textOf(content) {
  const parts = Array.isArray(content) ? content.map((part) => fieldsOf(part).text) : [content];
  return parts.filter((part) => typeof part === "string").join("");
}

/**
 * @param {Record<string, unknown>} counts
 * @returns {RLMProviderReply["usage"]}
 */
function usageOf({ prompt_tokens, completion_tokens, prompt_tokens_details, cost }) {
  const priced = typeof cost === "number" && cost >= 0 ? { cost } : {};
  const cached_tokens = tokens(fieldsOf(prompt_tokens_details).cached_tokens);
  return { input_tokens: tokens(prompt_tokens), output_tokens: tokens(completion_tokens), cached_tokens, ...priced };
}
