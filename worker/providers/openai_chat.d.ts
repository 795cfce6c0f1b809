import type { RLMProvider, RLMProviderFacts } from "../wire/types.d.ts";

export interface VendorOptions extends RLMProviderFacts {
  /** The person's own key. It stays in this page's memory: no log, no event and no worker has it. */
  apiKey?: string | null;
  /** Model of calls that name none. */
  model?: string | null;
  /** Further headers of each request. */
  headers?: Record<string, string>;
}

export interface OpenAIChatOptions extends VendorOptions {
  /** Default "https://api.openai.com/v1". */
  baseURL?: string;
}

/** A provider that asks an OpenAI-compatible API straight from the page; its CORS must allow the page. */
export function openaiChat(options?: OpenAIChatOptions): RLMProvider;
