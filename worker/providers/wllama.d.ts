import type { RLMProvider, RLMProviderFacts } from "../wire/types.d.ts";

/** The part of the class `Wllama` of the package @wllama/wllama (3 or later) that is used. */
export interface WllamaEngine {
  loadModel(parts: Blob[], params?: Record<string, any>): Promise<void>;
  loadModelFromUrl(url: string, params?: Record<string, any>): Promise<void>;
  createChatCompletion(options: any): Promise<any>;
}

export interface WllamaOptions extends RLMProviderFacts {
  /** `new Wllama({ default: URL of wllama.wasm })`, made by the page from its own copy of the package. */
  engine: WllamaEngine;
  /** A GGUF file from the person's disk, its parts, or a URL. It is loaded with the first call. */
  model: Blob | Blob[] | string;
  /** Tokens of the window to load it with, the option `n_ctx` of llama.cpp. Default 8192. */
  windowTokens?: number;
  /** Further parameters of loading, in wllama's names: `n_threads`, `n_gpu_layers`, ... */
  load?: Record<string, unknown>;
}

/** A provider that asks a model in this tab, by llama.cpp. Nothing leaves the machine. */
export function wllama(options: WllamaOptions): RLMProvider;
