import type { RLMProvider } from "../wire/types.d.ts";
import type { VendorOptions } from "./openai_chat.d.ts";

export interface AnthropicOptions extends VendorOptions {
  /** Default "https://api.anthropic.com". */
  baseURL?: string;
}

/** A provider that asks Anthropic's API straight from the page, with a person's own key. */
export function anthropic(options?: AnthropicOptions): RLMProvider;
