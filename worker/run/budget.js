// @ts-check
// Tree: what a tree of runs shares: its limits, by the host's own and exact count, and the places to work in.
//
// In: calls and child runs before they begin, usage when they are over. Out: an error for what may not begin, which is
// also the end of the whole tree, told to whoever stops it. Each run's own limits are run.js's and the core's.

import { providerError, rlmError } from "../wire/errors.js";
import { total } from "../wire/usage.js";

/**
 * @typedef {import("../wire/protocol.js").ModelUsage} ModelUsage
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/protocol.js").StartJob["limits"]} Limits
 * @typedef {import("./result.js").Ending} Ending
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {ReturnType<typeof openTree>} Tree
 */

/** @type {Array<{limit: Ending["stopped_by"], option: string, what: string, key: "input" | "output" | "cost"}>} */
const SPENT = [
  { limit: "max_input_tokens", option: "maxInputTokens", what: "input token", key: "input" },
  { limit: "max_output_tokens", option: "maxOutputTokens", what: "output token", key: "output" },
  { limit: "max_cost", option: "maxCost", what: "cost (USD)", key: "cost" },
];

export function openTree(/** @type {Limits} */ limits) {
  const spent = { input: 0, output: 0, cost: 0 };
  /** @type {Array<{path: number[], usage: () => Usage}>} */
  const accounts = [];
  let subCalls = 0;
  let tell = (/** @type {Ending} */ _ending) => {};

  const spend = (/** @type {ModelUsage} */ { input_tokens, output_tokens, cost }) => {
    spent.input += input_tokens;
    spent.output += output_tokens;
    spent.cost += cost ?? 0;
  };
  const end = (/** @type {Ending["stopped_by"]} */ limit, /** @type {string} */ detail) => {
    tell({ stopped_by: limit, detail });
    return rlmError("LimitReached", detail, { limit });
  };
  const checkSpent = () => {
    for (const { limit, option, what, key } of SPENT) {
      const allowed = limits[limit];
      if (typeof allowed !== "number" || spent[key] < allowed) continue;
      const used = key === "cost" ? Number(spent.cost.toPrecision(6)) : spent[key];
      throw end(limit, `${what} limit reached: ${used} of ${allowed} used. ${advice(option)}`);
    }
  };

  return {
    /** `told` is called with the ending when a limit of the tree is reached. */
    whenReached: (/** @type {typeof tell} */ told) => void (tell = told),
    /** Count `count` sub-calls about to begin, all or none; 0 for a root call. Throws when they may not. */
    admit(/** @type {number} */ count) {
      checkSpent();
      const allowed = limits.max_sub_calls;
      if (typeof allowed === "number" && subCalls + count > allowed) {
        const more = subCalls < allowed ? ` and ${count} more asked for` : "";
        const used = `${subCalls} of ${allowed} used${more}`;
        throw end("max_sub_calls", `sub-call limit reached: ${used}. ${advice("maxSubCalls")}`);
      }
      subCalls += count;
    },
    /** Count what a call used. */
    spend,
    /** What was used before: a run that is continued has the rest of its limits. */
    restore(/** @type {{usage: Map<string, Usage>, subCalls: number}} */ { usage, subCalls: before }) {
      subCalls += before;
      for (const [path, used] of usage) {
        accounts.push({ path: path === "" ? [] : path.split(".").map(Number), usage: () => used });
        Object.values(used).forEach(spend);
      }
    },
    /** The run at `path` keeps its own account. */
    open: (/** @type {number[]} */ path, /** @type {() => Usage} */ usage) => void accounts.push({ path, usage }),
    /** What the run at `path` and those below it used. */
    usage: (/** @type {number[]} */ path) =>
      total(accounts.filter((account) => isBelow(account.path, path)).map(({ usage }) => usage())),
    /** Path, as "0.2" and "" for the root -> what that run used, without those below it. */
    usageByPath() {
      /** @type {Record<string, Usage[]>} */
      const byPath = {};
      for (const { path, usage } of accounts) (byPath[path.join(".")] ??= []).push(usage());
      return Object.fromEntries(Object.entries(byPath).map(([path, usages]) => [path, total(usages)]));
    },
    places: openPlaces(Number(limits.max_concurrency ?? 4)),
  };
}

function advice(/** @type {string} */ option) {
  return `Raise ${option}, or ask over a smaller context.`;
}

function isBelow(/** @type {number[]} */ path, /** @type {number[]} */ top) {
  return top.every((number, depth) => path[depth] === number);
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

/** As Python counts them: a surrogate pair is one. */
function characters(/** @type {string} */ text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/**
 * Places for child runs that work; one that only waits for its own children leaves its place to them.
 * The deepest comes first, so that what was begun is finished before more is begun.
 * @param {number} most
 */
function openPlaces(most) {
  let free = most;
  /** @type {Array<{depth: number, enter: (value?: undefined) => void}>} */
  const waiting = [];
  return {
    /** @returns {Promise<void>} */
    async enter(/** @type {number} */ depth) {
      if (free === 0) return new Promise((enter) => waiting.push({ depth, enter }));
      free -= 1;
    },
    leave() {
      const deepest = Math.max(...waiting.map(({ depth }) => depth));
      const [next] = waiting.splice(
        Math.max(
          0,
          waiting.findIndex(({ depth }) => depth === deepest),
        ),
        1,
      );
      if (next) next.enter();
      else free += 1;
    },
  };
}
