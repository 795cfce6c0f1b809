// @ts-check
// OpenAI chat: a provider of the page for `POST /chat/completions`, as OpenAI, OpenRouter, Ollama, vLLM and others speak it.
//
// In: the address and a person's own key, which stays in this closure. Out: a provider function. The vendor's CORS must
// allow the page.

import { openaiForm } from "./schema_forms.js";
import { merged } from "./turns.js";
import { addressOf, checkedBase, checkedKey, chosenModel, replyTo } from "./vendor.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {import("../wire/types.d.ts").RLMProviderCall} RLMProviderCall
 */

const NAME = "openaiChat";
const VENDOR_URL = "https://api.openai.com/v1";

/**
 * @param {import("./openai_chat.d.ts").OpenAIChatOptions} [options]
 * @returns {RLMProvider}
 */
export function openaiChat({ baseURL = VENDOR_URL, apiKey, model = null, headers = {}, ...facts } = {}) {
  const base = checkedBase(NAME, baseURL);
  const key = checkedKey(NAME, apiKey);
  const sent = { ...headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
  /** @type {Map<string, import("./workarounds.js").Change[]>} */
  const changes = new Map();

  /** @type {RLMProvider} */
  const provider = async ({ signal, onDelta, ...call }) => {
    const body = bodyOf(call, { model: chosenModel(NAME, call.model, model), isVendor: base === VENDOR_URL });
    const url = addressOf(base, "/chat/completions", body.model);
    return replyTo(url, { headers: sent, body, signal, onDelta, changes });
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
