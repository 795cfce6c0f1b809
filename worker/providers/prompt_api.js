// @ts-check
// Prompt API: the browser's own language model (`LanguageModel`) as a provider of the page. Nothing leaves the machine.
//
// In: a browser that has one. Out: a provider function, or a ConfigError that says that there is none. Each call is a
// session of its own, ended with it. Text only. The browser counts the tokens of the prompt, not those of the reply.

import { configError, providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {import("../wire/types.d.ts").RLMProviderCall} RLMProviderCall
 */

/**
 * The part of the browser's interface that is used here.
 * @typedef {object} Session
 * @property {(text: string, options: {signal: AbortSignal, responseConstraint?: object}) => ReadableStream<string>} promptStreaming
 * @property {() => void} destroy
 * @property {number} [inputUsage]
 */
/**
 * @typedef {object} LanguageModel
 * @property {(options: object) => Promise<"unavailable" | "downloadable" | "downloading" | "available">} availability
 * @property {(options: object) => Promise<Session>} create
 */

const LABEL = "the browser's own model";
/** Browsers warn where no language is named. */
const WRITTEN = { expectedOutputs: [{ type: "text", languages: ["en"] }] };
const ABSENT =
  "promptApi: this browser has no language model of its own (LanguageModel). Chrome on a desktop has one from version 138; " +
  "it is not there in workers, in insecure pages and in private windows. Choose another provider.";

/** @returns {LanguageModel | null} */
function languageModel() {
  const own = fieldsOf(globalThis).LanguageModel;
  return typeof own === "function" || typeof own === "object"
    ? /** @type {LanguageModel | null} */ (own ?? null)
    : null;
}

/** Whether this browser has a language model of its own; it may still have to download it. */
export async function hasPromptApi() {
  const model = languageModel();
  return model !== null && (await model.availability(WRITTEN)) !== "unavailable";
}

/**
 * @param {import("../wire/types.d.ts").RLMProviderFacts} [facts]
 * @returns {RLMProvider}
 */
export function promptApi(facts = {}) {
  const model = languageModel();
  if (model === null) throw configError(ABSENT);
  /** @type {RLMProvider} */
  const provider = async ({ messages, schema, options, signal, onDelta }) => {
    if ((await model.availability(WRITTEN)) === "unavailable")
      throw providerError("the browser's own model cannot run on this machine. Choose another provider.", {
        type: "upstream-failed",
      });
    onDelta("");
    const session = await model.create(openingOf(messages, options, signal)).catch(failed);
    try {
      const constraint = schema === null ? {} : { responseConstraint: schema };
      const last = messages[messages.length - 1]?.content ?? "";
      const text = await joined(session.promptStreaming(last, { signal, ...constraint }), onDelta).catch(failed);
      const { inputUsage = 0 } = session;
      return { text, usage: { input_tokens: Math.trunc(inputUsage), cost: 0 }, finishReason: "stop" };
    } finally {
      session.destroy();
    }
  };
  return Object.assign(provider, { label: LABEL, concurrency: 1, takesImages: false, ...facts });
}

/**
 * Options of a session: the conversation before its last message. Temperature goes with `topK` only, which we have not.
 * @param {RLMProviderCall["messages"]} messages
 * @param {RLMProviderCall["options"]} options
 * @param {AbortSignal} signal
 */
function openingOf(messages, options, signal) {
  const unknown = Object.keys(options);
  if (unknown.length > 0)
    throw providerError(`the browser's own model has no option ${unknown.join(", ")}. Leave it out of modelOptions.`, {
      type: "unknown-option",
    });
  return { ...WRITTEN, initialPrompts: messages.slice(0, -1), signal };
}

/**
 * @param {ReadableStream<string>} stream
 * @param {(text: string) => void} onDelta
 */
async function joined(stream, onDelta) {
  const texts = [];
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    texts.push(part.value);
    onDelta(part.value);
  }
  return texts.join("");
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function failed(error) {
  const { name, message } = fieldsOf(error);
  if (name === "AbortError" || name === "ProviderError") throw error;
  const isLong = name === "QuotaExceededError";
  const advice = isLong ? "Send less text at once: its window is small." : "Try again, or choose another provider.";
  const fault = providerError(`the browser's own model failed (${name}: ${message}). ${advice}`, {
    type: isLong ? "upstream-prompt-too-long" : "upstream-failed",
    retryable: name === "UnknownError" || name === "OperationError",
  });
  throw Object.assign(fault, { cause: error });
}
