// @ts-check
/** Vendors: names of providers as people know them, as in server/rlm_server/calls/registry.py. */

/** @type {Readonly<Record<string, string>>} */
export const TITLES = {
  anthropic: "Anthropic",
  gemini: "Gemini",
  ollama: "Ollama",
  openai: "OpenAI",
  openrouter: "OpenRouter",
};
