// @ts-check
// Anthropic: a provider of the page for `POST /v1/messages`.
//
// In: a person's own key, which stays in this closure. Out: a provider function. The vendor asks that a page says that it
// is one, by a header: a key in a page can be read by whoever can run code in it.

import { anthropicForm } from "./schema_forms.js";
import { merged } from "./turns.js";
import { addressOf, checkedBase, checkedKey, chosenModel, replyTo } from "./vendor.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {import("../wire/types.d.ts").RLMProviderCall} RLMProviderCall
 */

const NAME = "anthropic";
const VENDOR_URL = "https://api.anthropic.com";
const VERSION = { "anthropic-version": "2023-06-01", "anthropic-dangerous-direct-browser-access": "true" };
const MAX_TOKENS = 8_192;
const CACHED = { cache_control: { type: "ephemeral" } };

/**
 * @param {import("./anthropic.d.ts").AnthropicOptions} [options]
 * @returns {RLMProvider}
 */
export function anthropic({ baseURL = VENDOR_URL, apiKey, model = null, headers = {}, ...facts } = {}) {
  const base = checkedBase(NAME, baseURL).replace(/\/v1$/, "");
  const key = checkedKey(NAME, apiKey);
  const sent = { ...VERSION, ...headers, ...(key === null ? {} : { "x-api-key": key }) };
  /** @type {Map<string, import("./workarounds.js").Change[]>} */
  const changes = new Map();

  /** @type {RLMProvider} */
  const provider = async ({ signal, onDelta, ...call }) => {
    const body = bodyOf(call, chosenModel(NAME, call.model, model));
    const url = addressOf(base, "/v1/messages", body.model);
    return replyTo(url, { headers: sent, body, signal, onDelta, changes });
  };
  return Object.assign(provider, { label: new URL(base).host, takesImages: true, ...facts });
}

/**
 * The system prompt and the latest turn of a conversation are marked for the vendor's prompt cache, as a conversation grows
 * at its end only.
 * @param {Omit<RLMProviderCall, "signal" | "onDelta">} call
 * @param {string} model
 */
function bodyOf({ messages, images, schema, options }, model) {
  const system = messages.flatMap(({ role, content }) => (role === "system" ? [content] : [])).join("\n\n");
  const spoken = messages.filter(({ role, content }) => role !== "system" && content !== "");
  const turns = merged(spoken).map(({ role, content }) => ({ role, content: /** @type {unknown} */ (content) }));
  const last = turns[turns.length - 1];
  const text = { type: "text", text: last?.content };
  if (last !== undefined && images.length > 0) last.content = [...images.map(imagePart), text];
  else if (last !== undefined && (system !== "" || turns.length > 1)) last.content = [{ ...text, ...CACHED }];
  const { temperature, topP: top_p, maxOutputTokens: max_tokens = MAX_TOKENS, reasoningEffort: effort } = options;
  const config = { ...(effort === undefined ? {} : { effort }), ...anthropicForm(schema) };
  const output_config = Object.keys(config).length > 0 ? config : undefined;
  const role = system === "" ? undefined : [{ type: "text", text: system, ...CACHED }];
  return { model, max_tokens, system: role, messages: turns, temperature, top_p, output_config, stream: true };
}

/** @param {{type: string, data: string}} image */
function imagePart({ type, data }) {
  return { type: "image", source: { type: "base64", media_type: type, data } };
}
