// @ts-check
// wllama: llama.cpp in the tab (the package @wllama/wllama) as a provider of the page. Nothing leaves the machine.
//
// In: an engine that the page made from that package, and a model: a file of the person's, or a URL. Out: a provider function.
// The model is loaded with the first call, once. No code and no model of wllama is in this project.

import { configError, providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";
import { openaiForm } from "./schema_forms.js";
import { merged } from "./turns.js";
import { tokens } from "./vendor.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {import("../wire/types.d.ts").RLMProviderReply} RLMProviderReply
 * @typedef {import("./wllama.d.ts").WllamaEngine} WllamaEngine
 */

const LABEL = "a model in this tab";
const WINDOW_TOKENS = 8_192;
const SIGN_OF_LIFE_MS = 5_000;
/** @type {RLMProviderReply["finishReason"][]} */
const FINISHES = ["stop", "length"];

/**
 * @param {import("./wllama.d.ts").WllamaOptions} options
 * @returns {RLMProvider}
 */
export function wllama({ engine, model, windowTokens = WINDOW_TOKENS, load = {}, ...facts }) {
  if (typeof engine?.createChatCompletion !== "function")
    throw configError(
      'wllama: engine must be made from the package @wllama/wllama: new Wllama({ default: "/wllama.wasm" }).',
    );
  const files = (Array.isArray(model) ? model : [model]).filter((part) => part instanceof Blob);
  if (typeof model !== "string" && files.length === 0)
    throw configError("wllama: model must be a GGUF file, the parts of one, or the URL of one.");
  const params = { n_ctx: windowTokens, ...load };
  /** @type {Promise<void> | null} */
  let loading = null;

  const loaded = () => {
    loading ??= (
      typeof model === "string" ? engine.loadModelFromUrl(model, params) : engine.loadModel(files, params)
    ).catch((fault) => {
      loading = null; // a next call tries it once more
      throw fault;
    });
    return loading;
  };

  /** @type {RLMProvider} */
  const provider = async ({ messages, schema, options, signal, onDelta }) => {
    const { temperature, topP: top_p, maxOutputTokens: max_tokens, seed, reasoningEffort } = options;
    if (reasoningEffort !== undefined)
      throw providerError("wllama has no option reasoningEffort. Leave it out of modelOptions.", {
        type: "unknown-option",
      });
    const alive = setInterval(() => onDelta(""), SIGN_OF_LIFE_MS); // a prompt of a large model is long at work
    try {
      await loaded();
      signal.throwIfAborted();
      const chosen = { temperature, top_p, max_tokens, seed };
      const set = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
      const asked = { messages: merged(messages), ...set, ...openaiForm(schema), abortSignal: signal };
      const streamed = { stream: true, stream_options: { include_usage: true } };
      return await replyOf(await engine.createChatCompletion({ ...asked, ...streamed }), onDelta);
    } catch (error) {
      signal.throwIfAborted();
      throw failed(error);
    } finally {
      clearInterval(alive);
    }
  };
  return Object.assign(provider, { label: LABEL, concurrency: 1, takesImages: false, windowTokens, ...facts });
}

/**
 * @param {AsyncIterable<unknown>} chunks
 * @param {(text: string) => void} onDelta
 * @returns {Promise<RLMProviderReply>}
 */
async function replyOf(chunks, onDelta) {
  const texts = [];
  const counts = { written: 0, read: /** @type {number | null} */ (null), output: /** @type {number | null} */ (null) };
  /** @type {RLMProviderReply["finishReason"]} */
  let finishReason = null;
  for await (const chunk of chunks) {
    const { choices, usage } = fieldsOf(chunk);
    const choice = fieldsOf(Array.isArray(choices) ? choices[0] : null);
    const { content } = fieldsOf(choice.delta);
    if (typeof content === "string" && content !== "") {
      texts.push(content);
      counts.written += 1;
      onDelta(content);
    }
    finishReason = FINISHES.find((known) => known === choice.finish_reason) ?? finishReason;
    if (typeof usage !== "object" || usage === null) continue;
    const { prompt_tokens, completion_tokens } = fieldsOf(usage);
    [counts.read, counts.output] = [tokens(prompt_tokens), tokens(completion_tokens)];
  }
  const used = { input_tokens: counts.read ?? 0, output_tokens: counts.output ?? counts.written };
  return { text: texts.join(""), usage: { ...used, cost: 0 }, finishReason };
}

/** @param {unknown} error */
function failed(error) {
  const { name, message } = fieldsOf(error);
  if (name === "ProviderError") return error;
  const isLong = /context (?:size|length|window)|n_ctx|exceed/i.test(String(message));
  const advice = isLong
    ? "Send less text at once, or raise windowTokens, as far as the model and this machine's memory allow."
    : "Is it a GGUF file that llama.cpp reads, and does it fit into this tab's memory (2 GB a part)?";
  const type = isLong ? "upstream-prompt-too-long" : "upstream-failed";
  return Object.assign(providerError(`the model in this tab failed (${name}: ${message}). ${advice}`, { type }), {
    cause: error,
  });
}
