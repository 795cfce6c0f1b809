// @ts-check
// Page provider: model calls answered by a function of the page, in place of an endpoint.
//
// In: the caller's function with its facts, and calls of the broker. Out: a completion or a ProviderError for each. The
// function is not trusted to end, to heed its signal or to return the right types: each fault of it is an error in words.
// It is retried as an endpoint is (retries.js), where its error says `retryable`.

import { FINISH_REASONS } from "../wire/protocol.js";
import { configError, providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";
import { UNNAMED } from "../wire/usage.js";
import { sentImages } from "./images.js";
import { openIdleTimeout } from "./idle_timeout.js";

/**
 * @typedef {import("../wire/types.d.ts").Completion} Completion
 * @typedef {import("../wire/types.d.ts").HostCall} HostCall
 * @typedef {import("../wire/types.d.ts").ModelOptions} ModelOptions
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {import("../wire/types.d.ts").RLMProviderCall} RLMProviderCall
 * @typedef {import("../wire/types.d.ts").PageProvider} PageProvider
 * @typedef {import("./endpoint.js").ProviderError} ProviderError
 */

/** A reply's first or next piece must come within ten minutes, as at a server of ours. */
const IDLE_MS = 600_000;
const CONCURRENCY = 8;
const LABEL = "a function of this page";
/** Characters of the longest reply, twice those that a model of today can write. */
export const MAX_REPLY_CHARS = 8 << 20;
const COUNTS = /** @type {const} */ (["calls", "input_tokens", "output_tokens", "cached_tokens"]);

/**
 * The facts that a provider may carry as properties, checked.
 * @param {RLMProvider} provider
 */
function factsOf({ label = LABEL, concurrency = CONCURRENCY, takesImages = null, windowTokens = null }) {
  /**
   * @param {boolean} ok
   * @param {string} name
   * @param {string} must
   */
  const check = (ok, name, must) => {
    if (!ok) throw configError(`provider.${name} must ${must}.`);
  };
  const isLine = typeof label === "string" && /^[^\s→](?:[^\n→]{0,98}[^\s→])?$/.test(label);
  check(isLine, "label", "be one line of 1 to 100 characters, without an arrow");
  check(isWhole(concurrency, 1), "concurrency", "be a whole number of at least 1");
  check(takesImages === null || typeof takesImages === "boolean", "takesImages", "be true, false or null");
  check(windowTokens === null || isWhole(windowTokens, 1_000), "windowTokens", "be a whole number of at least 1,000");
  return { label, concurrency, takesImages, windowTokens };
}

/**
 * @param {RLMProvider} provider
 * @param {{idleMs?: number}} [options]
 * @returns {PageProvider}
 */
export function openPageProvider(provider, { idleMs = IDLE_MS } = {}) {
  const { concurrency, ...facts } = factsOf(provider);
  const queue = openQueue(concurrency);
  return {
    ...facts,
    async post({ calls, options }, { signal, take, write, started }) {
      await Promise.all(
        calls.map(async (call, index) => {
          await queue.enter(signal);
          try {
            started(index);
            take(index, await replyTo(provider, requestOf(call, options), { signal, write, idleMs }));
          } catch (fault) {
            if (signal.aborted) return; // the broker has settled the call
            take(index, faultOf(fault));
          } finally {
            queue.leave();
          }
        }),
      );
    },
  };
}

/**
 * @param {HostCall} call
 * @param {ModelOptions} options
 * @returns {Omit<RLMProviderCall, "signal" | "onDelta">}
 */
function requestOf(call, options) {
  const named = Object.entries(options).map(([name, value]) => [camelCase(name), value]);
  return {
    messages: call.messages.map(({ role, content }) => ({ role, content })),
    model: call.model,
    images: sentImages(call).map(({ type, data }) => ({ type, data: data ?? "" })),
    schema: call.schema ? JSON.parse(call.schema) : null,
    options: Object.fromEntries(named),
  };
}

/**
 * One call of the function, which ends with its reply, its error, an abort or the idle timeout, whichever is first.
 * @param {RLMProvider} provider
 * @param {Omit<RLMProviderCall, "signal" | "onDelta">} request
 * @param {{signal: AbortSignal, write: (text: string) => void, idleMs: number}} call
 * @returns {Promise<Completion>}
 */
async function replyTo(provider, request, { signal, write, idleMs }) {
  const idle = openIdleTimeout(idleMs, { subject: "the provider", type: "provider-silent" });
  const spoiled = new AbortController();
  const until = AbortSignal.any([signal, idle.signal, spoiled.signal]);
  let isOpen = true;
  let chars = 0;
  /** @param {ProviderError} fault */
  const spoil = (fault) => {
    spoiled.abort(fault);
    throw fault;
  };
  /** @param {unknown} text */
  const onDelta = (text) => {
    if (!isOpen) throw lateDelta();
    if (typeof text !== "string") return spoil(malformed(`onDelta was called with ${kindOf(text)}, not with text`));
    chars += text.length;
    if (chars > MAX_REPLY_CHARS) return spoil(tooLong(chars));
    idle.reset();
    if (text !== "") write(text);
  };
  const stopped = new Promise((_, reject) => {
    const stop = () => reject(until.reason);
    if (until.aborted) stop();
    else until.addEventListener("abort", stop, { once: true });
  });
  try {
    const replied = (async () => provider({ ...request, signal: until, onDelta }))();
    return completionOf(await Promise.race([replied, stopped]), request.model);
  } catch (fault) {
    throw until.aborted ? until.reason : fault;
  } finally {
    isOpen = false;
    idle.clear();
  }
}

// ------------------------------------------------------------------------------------------------------------ replies

/**
 * @param {unknown} reply
 * @param {string | null} requested
 * @returns {Completion}
 */
function completionOf(reply, requested) {
  if (typeof reply !== "object" || reply === null)
    throw malformed(`it returned ${kindOf(reply)}, not an object {text, usage}`);
  const { text, model = requested, usage = {}, finishReason = null, reasoning = "" } = fieldsOf(reply);
  if (typeof text !== "string") throw malformed(`the text of its reply is ${kindOf(text)}`);
  if (text.length > MAX_REPLY_CHARS) throw tooLong(text.length);
  if (model !== null && typeof model !== "string") throw malformed(`the model of its reply is ${kindOf(model)}`);
  if (typeof reasoning !== "string") throw malformed(`the reasoning of its reply is ${kindOf(reasoning)}`);
  const finish_reason = FINISH_REASONS.find((known) => known === finishReason) ?? null;
  if (finishReason !== null && finish_reason === null)
    throw malformed(`the finishReason of its reply is none of ${FINISH_REASONS.join(", ")}`);
  return { text, model: model ?? UNNAMED, usage: usageOf(usage), finish_reason, reasoning };
}

/**
 * Limits of tokens and cost depend on it: a count of a wrong type is an error, and one that is left out counts for nothing.
 * @param {unknown} usage
 * @returns {import("../wire/protocol.js").ModelUsage}
 */
function usageOf(usage) {
  if (typeof usage !== "object" || usage === null) throw malformed(`the usage of its reply is ${kindOf(usage)}`);
  const { cost = null, ...counts } = fieldsOf(usage);
  const unknown = Object.keys(counts).find((name) => !COUNTS.some((known) => known === name));
  if (unknown !== undefined)
    throw malformed(`the usage of its reply has a field ${unknown.slice(0, 40)}; known are ${COUNTS.join(", ")}, cost`);
  const [calls, input_tokens, output_tokens, cached_tokens] = COUNTS.map((name) => {
    const count = counts[name] ?? (name === "calls" ? 1 : 0);
    if (!isWhole(count, 0)) throw malformed(`the ${name} of its reply is no whole number of at least 0`);
    return Number(count);
  });
  if (cost !== null && !(typeof cost === "number" && Number.isFinite(cost) && cost >= 0))
    throw malformed("the cost of its reply is no number of dollars");
  return { calls, input_tokens, output_tokens, cached_tokens, cost };
}

// ------------------------------------------------------------------------------------------------------------- errors

/**
 * The error of a call: that of an adapter as it is, any other one named as the function's.
 * @param {unknown} fault
 */
function faultOf(fault) {
  try {
    const { name, message, type, retryable, status, upstream, retryAfter } = fieldsOf(fault);
    const text = typeof message === "string" && message !== "" ? message : String(fault);
    const isOwn = name === "ProviderError" && typeof type === "string";
    return providerError(isOwn ? text : `the provider failed: ${text}`, {
      type: isOwn ? type : "provider-failed",
      retryable: retryable === true,
      status: typeof status === "number" ? status : null,
      upstream: typeof upstream === "string" ? upstream : null,
      retryAfter: typeof retryAfter === "number" && retryAfter >= 0 ? retryAfter : null,
    });
  } catch (error) {
    const unreadable = providerError("the provider failed, and its error cannot be shown", { type: "provider-failed" });
    return Object.assign(unreadable, { cause: error });
  }
}

/** @param {string} fault */
function malformed(fault) {
  return providerError(`the provider's reply cannot be used: ${fault}.`, { type: "provider-malformed" });
}

/** @param {number} chars */
function tooLong(chars) {
  return malformed(`it has ${chars} characters; ${MAX_REPLY_CHARS} are allowed`);
}

function lateDelta() {
  return providerError("onDelta was called after its call had ended: this piece is dropped. Heed the signal.", {
    type: "provider-malformed",
  });
}

/** @param {unknown} value */
function kindOf(value) {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
}

/**
 * @param {unknown} value
 * @param {number} least
 */
function isWhole(value, least) {
  return Number.isSafeInteger(value) && Number(value) >= least;
}

/** @param {string} name */
function camelCase(name) {
  return name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
}

// -------------------------------------------------------------------------------------------------------------- queue

/**
 * Calls at the same time, in the order in which they came.
 * @param {number} most
 */
function openQueue(most) {
  let free = most;
  /** @type {Set<() => void>} */
  const waiting = new Set();
  return {
    /**
     * A slot; rejects when `signal` aborts before there is one.
     * @param {AbortSignal} signal
     */
    async enter(signal) {
      signal.throwIfAborted();
      if (free > 0) return void (free -= 1);
      await new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
        const give = () => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
        const stop = () => {
          waiting.delete(give);
          reject(signal.reason);
        };
        waiting.add(give);
        signal.addEventListener("abort", stop, { once: true });
      });
    },
    leave() {
      const [next] = waiting;
      if (next === undefined) free += 1;
      else {
        waiting.delete(next);
        next();
      }
    },
  };
}
