// Types of the public face, for TypeScript users of worker/rlm.js.
import type { Event, Json, ModelUsage } from "./protocol.js";

export type { Event, Json, ModelUsage };
export type StoppedBy =
  "final_answer" | "max_iterations" | "max_seconds" | "max_errors" | "cancelled" | "provider_error" | "worker_lost";

/** A JSON value that model code finds as a variable, with its line in the prompt. */
export interface RLMTool {
  tool: Json;
  description?: string;
}

export interface RLMCodeBlock {
  code: string;
  /** stdout and stderr in the order written; head and tail when longer than maxOutputChars. */
  stdout: string;
  /** `repr` of the last expression's value. */
  value: string | null;
  /** Traceback of the exception that ended the block. */
  error: string | null;
  seconds: number;
}

export interface RLMIteration {
  /** From 0. */
  index: number;
  /** The root model's reply, whole. */
  response: string;
  codeBlocks: RLMCodeBlock[];
}

export interface RLMOptions {
  /** Where model calls are POSTed. Default "/api/rlm". */
  endpoint?: string;
  /** Folder of manifest.json and what it names. Default: "assets/" beside this module. */
  assets?: string;
  /** Least containment at which model code may run. Default "network"; "weak" must be asked for. */
  containment?: "full" | "network" | "weak";
  /** `provider:name`; default: the server's. */
  model?: string | null;
  subModel?: string | null;
  /** Default 20. */
  maxIterations?: number | null;
  /** Characters of one block's output that the model is shown. Default 20000. */
  maxOutputChars?: number | null;
  /** Milliseconds. Default: no limit. */
  maxTimeout?: number | null;
  /** Consecutive iterations that end in an error. Default 5. */
  maxErrors?: number | null;
  systemPrompt?: string | null;
  tools?: Record<string, RLMTool | Json>;
  onIteration?: (iteration: RLMIteration) => void;
  onSubLLMCall?: (call: { prompt: string; model: string | null }) => void;
  /** Every event of the run, stamped. */
  onEvent?: (event: Event) => void;
}

export interface RLMResult {
  /** The final answer, or the best partial one when stoppedBy is not "final_answer"; may be empty. */
  answer: string;
  iterations: number;
  /** Milliseconds, the worker's start included. */
  totalTime: number;
  /** Model -> calls and tokens. */
  usage: Record<string, ModelUsage>;
  stoppedBy: StoppedBy;
  /** One sentence when the run did not end with a final answer. */
  detail: string;
  /** The log, one JSON object a line. */
  trajectory: () => string;
}

export class RLM {
  /** Throws a ConfigError, naming the option, when one is impossible. */
  constructor(options?: RLMOptions);
  /**
   * Answer `prompt` over `context`: text, a JSON value, bytes, a file or files.
   * Rejects with a ConfigError or a ChannelError when nothing could run; each other ending has a result.
   */
  run(
    prompt: string,
    options?: { context?: Json | ArrayBuffer | ArrayBufferView | Blob | Blob[]; signal?: AbortSignal },
  ): Promise<RLMResult>;
}
