// @ts-check
// Budget: the limits of a tree of runs, by the host's own and exact count.
//
// In: calls and child runs before they begin, usage when they are over. Out: an error for one that may not begin, which
// also ends the whole tree. The limits of a run alone are the core's.

import { providerError, rlmError } from "../wire/errors.js";
import { noPrice } from "./price_check.js";

/**
 * @typedef {import("../wire/protocol.js").ModelUsage} ModelUsage
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/protocol.js").StartJob["limits"]} Limits
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {import("./types.d.ts").Ending} Ending
 */

/** @type {Array<{limit: Ending["stopped_by"], option: string, unit: string, key: "input" | "output" | "cost"}>} */
const SPENT = [
  { limit: "max_input_tokens", option: "maxInputTokens", unit: "input token", key: "input" },
  { limit: "max_output_tokens", option: "maxOutputTokens", unit: "output token", key: "output" },
  { limit: "max_cost", option: "maxCost", unit: "cost (USD)", key: "cost" },
];

/**
 * @param {Limits} limits
 * @param {{allowUnknownPrice?: boolean}} [options] whether a call of unknown cost counts for nothing in the cost
 * @returns {import("./types.d.ts").Budget}
 */
export function openBudget(limits, { allowUnknownPrice = false } = {}) {
  const spent = { input: 0, output: 0, cost: 0 };
  /** @type {string | null} a model that answered at an unknown cost */
  let unpriced = null;
  let subCalls = 0;
  let end = (/** @type {Ending} */ _ending) => {};

  const spend = (
    /** @type {string} */ model,
    /** @type {ModelUsage} */ { calls, input_tokens, output_tokens, cost },
  ) => {
    if (cost === null && calls > 0 && !allowUnknownPrice) unpriced ??= model;
    spent.input += input_tokens;
    spent.output += output_tokens;
    spent.cost += cost ?? 0;
  };
  /**
   * @param {Ending["stopped_by"]} limit
   * @param {string} detail
   */
  const reached = (limit, detail) => {
    end({ stopped_by: limit, detail });
    return rlmError("LimitReached", detail, { limit });
  };
  const checkSpent = () => {
    if (unpriced !== null && typeof limits.max_cost === "number")
      throw reached("max_cost", `the limit of cost cannot be kept: ${noPrice(unpriced)}`);
    for (const { limit, option, unit, key } of SPENT) {
      const allowed = limits[limit];
      if (typeof allowed !== "number" || spent[key] < allowed) continue;
      const used = key === "cost" ? Number(spent.cost.toPrecision(6)) : spent[key];
      throw reached(limit, `${unit} limit reached: ${used} of ${allowed} used. ${advice(option)}`);
    }
  };

  return {
    /**
     * Called with the ending when a limit is reached.
     * @param {typeof end} listener
     */
    whenReached: (listener) => void (end = listener),
    /**
     * Count `count` sub-calls about to begin, all or none; 0 for a root call. Throws when they may not.
     * @param {number} count
     */
    admit(count) {
      checkSpent();
      const allowed = limits.max_sub_calls;
      if (typeof allowed === "number" && subCalls + count > allowed) {
        const more = subCalls < allowed ? ` and ${count} more asked for` : "";
        const used = `${subCalls} of ${allowed} used${more}`;
        throw reached("max_sub_calls", `sub-call limit reached: ${used}. ${advice("maxSubCalls")}`);
      }
      subCalls += count;
    },
    /** How many sub-calls may begin now. */
    room() {
      const isSpent = SPENT.some(({ limit, key }) => typeof limits[limit] === "number" && spent[key] >= limits[limit]);
      if (isSpent || (unpriced !== null && typeof limits.max_cost === "number")) return 0;
      return typeof limits.max_sub_calls === "number" ? limits.max_sub_calls - subCalls : Infinity;
    },
    /** Count the usage of a call to a model. */
    spend,
    /**
     * Count earlier sessions: a resumed run has the rest of its limits.
     */
    restore({ answered, subCalls: earlier }) {
      subCalls += earlier;
      for (const used of answered.values()) for (const [model, sum] of Object.entries(used)) spend(model, sum);
    },
  };
}

/** @param {string} option */
function advice(option) {
  return `Raise ${option}, or ask over a smaller context.`;
}

/**
 * Refuse a sub-call whose prompt is too long; nothing is spent.
 * @param {Limits} limits
 * @param {RequestedCall[]} calls
 */
export function checkLengths({ max_prompt_chars: most }, calls) {
  if (typeof most !== "number") return;
  calls.forEach(({ messages }, index) => {
    const chars = messages.reduce((sum, { content }) => sum + content.length, 0);
    if (chars <= most || messages.reduce((sum, { content }) => sum + characters(content), 0) <= most) return;
    const size = `${chars} of at most ${most} characters`;
    throw providerError(`prompt ${index} is too long, ${size}; nothing was asked. Split it over more prompts.`);
  });
}

/**
 * Refuse a long sub-call whose prompt is no text: halves of surrogate pairs, each written as an escape, would keep the page
 * busy for seconds. Of short ones the server decides.
 * @param {RequestedCall[]} calls
 */
export function checkTexts(calls) {
  calls.forEach(({ messages }, index) => {
    const broken = messages.find(({ content }) => content.length > MOST_BROKEN_CHARS && LONE_SURROGATE.test(content));
    if (broken === undefined) return;
    const what = `prompt ${index}, of ${broken.content.length} characters, holds halves of surrogate pairs, which are no text`;
    throw providerError(`${what}; nothing was asked. Replace them: prompt.encode("utf-8", "replace").decode().`);
  });
}

const MOST_BROKEN_CHARS = 1 << 20;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * As Python counts them: a surrogate pair is one.
 * @param {string} text
 */
function characters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
