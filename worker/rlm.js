// @ts-check
// RLM: the public face. A question and a context in, an answer out; everything else of worker/ is behind it.
//
// In: options and callbacks of the caller, checked by name. Out: the result; on the way iterations, sub-calls, events.
// Types for TypeScript users are in rlm.d.ts.

import { runJob } from "./host.js";
import { checkReadable, checkedSettings, jobOf } from "./job.js";

/**
 * @typedef {import("./protocol.js").Event} Event
 * @typedef {import("./protocol.js").RequestedCall} RequestedCall
 * @typedef {import("./job.js").Settings} Settings
 * @typedef {import("./rlm.d.ts").RLMCodeBlock} RLMCodeBlock
 * @typedef {import("./rlm.d.ts").RLMIteration} RLMIteration
 * @typedef {import("./rlm.d.ts").RLMOptions} RLMOptions
 * @typedef {import("./rlm.d.ts").RLMResult} RLMResult
 */

export class RLM {
  /** @type {Settings} */
  #settings;

  /** @param {RLMOptions} [options] a ConfigError names the one that is impossible */
  constructor(options = {}) {
    this.#settings = checkedSettings(options);
  }

  /**
   * Answer `prompt` over `context`. Rejects with ConfigError or ChannelError when nothing could run; each other ending
   * has a result.
   * @param {string} prompt the question; without a context it is the context as well
   * @param {{context?: unknown, signal?: AbortSignal}} [options]
   * @returns {Promise<RLMResult>}
   */
  async run(prompt, { context, signal } = {}) {
    const began = performance.now();
    const { endpoint, assets, containment } = this.#settings;
    const job = jobOf(this.#settings, prompt, context);
    await checkReadable(job);
    const told = { job, endpoint, assets, containment, signal, ...listeners(this.#settings) };
    const { result, trajectory } = await runJob(told);
    const { answer, iterations, usage, stopped_by: stoppedBy, detail } = result;
    return {
      answer,
      iterations,
      totalTime: Math.round(performance.now() - began),
      usage,
      stoppedBy,
      detail,
      trajectory,
    };
  }
}

/** The caller's callbacks, fed from events and calls. */
const listeners = (/** @type {Settings} */ { onIteration, onSubLLMCall, onEvent }) => {
  const iterations = iterationsOf((iteration) => tell(onIteration, iteration));
  return {
    onEvent(/** @type {Event} */ event) {
      iterations(event);
      tell(onEvent, event);
    },
    onCall(/** @type {"root" | "sub"} */ kind, /** @type {RequestedCall} */ { messages, model }) {
      if (kind === "sub") tell(onSubLLMCall, { prompt: messages[messages.length - 1]?.content ?? "", model });
    },
  };
};

/** Collects the blocks of each iteration, and tells of it when it is over. */
const iterationsOf = (/** @type {(iteration: RLMIteration) => void} */ told) => {
  /** @type {RLMCodeBlock[]} */
  let codeBlocks = [];
  let code = "";
  return (/** @type {Event} */ event) => {
    if (event.type === "iteration_started") codeBlocks = [];
    else if (event.type === "block_started") code = event.code;
    else if (event.type === "block_finished") {
      const { stdout, value, error, seconds } = event.observation;
      codeBlocks.push({ code, stdout, value, error, seconds });
    } else if (event.type === "iteration_finished")
      told({ index: event.iteration - 1, response: event.reply, codeBlocks });
  };
};

/**
 * Call the caller's function; its fault is its own, reported as uncaught, and does not touch the run.
 * @template T
 * @param {((value: T) => void) | null} callback
 * @param {T} value
 */
const tell = (callback, value) => {
  try {
    callback?.(value);
  } catch (error) {
    reportError(error);
  }
};
