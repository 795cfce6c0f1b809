import type { RLMProvider, RLMProviderFacts } from "../wire/types.d.ts";

/** Whether this browser has a language model of its own; it may still have to download it. */
export function hasPromptApi(): Promise<boolean>;

/** A provider that asks the browser's own language model. Throws a ConfigError where there is none. */
export function promptApi(facts?: RLMProviderFacts): RLMProvider;
