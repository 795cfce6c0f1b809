// @ts-check
// Usage by path: what each run of a tree used.
//
// In: accounts, one or more a run. Out: their sums, of a run alone or with the runs below it; the part of them that was
// answered from a record, which was paid earlier; and the part that summed up long conversations.

import { spend, total } from "../wire/usage.js";

/**
 * @typedef {import("../wire/protocol.js").ModelUsage} ModelUsage
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 */

/** @returns {import("./types.d.ts").UsageByPath} */
export function openUsage() {
  /** @type {Array<{path: number[], usage: () => Usage, recorded: () => Usage}>} */
  const accounts = [];
  /** @type {Usage} */
  const compaction = {};
  /**
   * @param {number[]} path
   * @param {() => Usage} usage
   * @param {{isRecorded?: boolean, stored?: () => Usage}} [options]
   */
  const open = (path, usage, { isRecorded = false, stored = () => ({}) } = {}) =>
    void accounts.push({ path, usage, recorded: isRecorded ? usage : stored });

  return {
    /** Add an account of the run at `path`; a recorded one, and the stored part of another, was paid earlier. */
    open,
    /**
     * Add the usage of earlier sessions, by path as "0.2".
     * @param {Map<string, Usage>} usage
     */
    restore(usage) {
      for (const [path, used] of usage) {
        const numbers = path === "" ? [] : path.split(".").map(Number);
        open(numbers, () => used, { isRecorded: true });
      }
    },
    /** Of the whole tree, the part that was answered from a record. */
    recorded: () => total(accounts.map(({ recorded }) => recorded())),
    /**
     * Count a summary of a long conversation; it is in the account of its run too.
     * @param {string} model
     * @param {ModelUsage} used
     */
    addCompaction: (model, used) => spend(compaction, model, used),
    /** Of the whole tree, the summaries of long conversations. */
    ofCompaction: () => structuredClone(compaction),
    /**
     * Of the run at `path` and those below it.
     * @param {number[]} path
     */
    of: (path) => total(accounts.filter((account) => isBelow(account.path, path)).map(({ usage }) => usage())),
    /** Path, as "0.2" and "" for the root -> usage of that run alone. */
    byPath() {
      /** @type {Record<string, Usage[]>} */
      const byPath = {};
      for (const { path, usage } of accounts) (byPath[path.join(".")] ??= []).push(usage());
      return Object.fromEntries(Object.entries(byPath).map(([path, usages]) => [path, total(usages)]));
    },
  };
}

/**
 * @param {number[]} path
 * @param {number[]} top
 */
function isBelow(path, top) {
  return top.every((number, depth) => path[depth] === number);
}
