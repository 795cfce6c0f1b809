// @ts-check
// Stand-in: the server's built-in model in a worker of this page, for pages that have no server and no model yet.
//
// In: the assets. Out: a provider function. It is no language model: it quotes by rules (see
// server/rlm_server/providers/stand_in, whose modules the worker imports). The worker is a contained one, as those of runs
// are; one block in it takes call after call, and ends when there is none for a while.

import { wheelAt } from "../boot/packages.js";
import { assetFile } from "../boot/runtime.js";
import { providerDestinations } from "../egress/destinations.js";
import { openLedger } from "../egress/ledger.js";
import { jobOf } from "../options/job.js";
import { checkedSettings } from "../options/settings.js";
import { localBlock } from "../run/local_block.js";
import { runTree } from "../run/tree.js";
import { providerError } from "../wire/errors.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProvider} RLMProvider
 * @typedef {{messages: object[], resolve: (text: string) => void, reject: (fault: Error) => void}} Pending
 */

const MODEL = "builtin:extractive";
const LABEL = "a worker of this page";
const FACTS = { label: LABEL, concurrency: 1, takesImages: false };
const CODE = "from rlm_stand_in.page_loop import serve\nserve(next_call, reply)\nFINAL('over')";
/** No bundler may read `new URL(..., import.meta.url)`: it would make a file of that module. */
const OWN = import.meta.url;
const IDLE_MS = 60_000;
/** The log of a worker's calls is in memory: after these a fresh one begins. */
const CALLS = 200;
const BLOCK_MS = 1e12; // it waits for calls most of the time

/**
 * Fetch the files that only its worker needs.
 * @param {Pick<import("./stand_in.d.ts").StandInOptions, "assets">} [options]
 */
export async function expectStandIn({ assets } = {}) {
  const file = await ownPackage(checkedSettings({ assets }, new URL("../rlm.js", OWN).href).assets);
  await wheelAt(file.url, file.sha256);
}

/** @param {string} assets */
function ownPackage(assets) {
  return assetFile(assets, "stand-in.zip");
}

/**
 * @param {import("./stand_in.d.ts").StandInOptions} [options]
 * @returns {RLMProvider}
 */
export function standIn({ assets, host, containment } = {}) {
  const options = { assets, host, containment, blockTimeout: BLOCK_MS, maxIterations: 1 };
  /** @type {Map<number, Pending>} */
  const pending = new Map();
  let calls = 0;
  let left = 0;
  let wake = () => {};
  let isRunning = false;

  const functions = {
    /** The next call for the worker; null ends it. */
    async next_call() {
      const deadline = performance.now() + IDLE_MS;
      while (pending.size === 0 && performance.now() < deadline)
        await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
          wake = resolve;
          setTimeout(resolve, deadline - performance.now());
        });
      const [first] = pending;
      if (first === undefined || left === 0) return null;
      left -= 1;
      const [id, { messages }] = first;
      return { id, messages };
    },
    /**
     * @param {number} id
     * @param {string} text
     */
    reply(id, text) {
      pending.get(id)?.resolve(text);
      pending.delete(id);
    },
  };

  const serve = async () => {
    while (pending.size > 0) {
      left = CALLS;
      const result = await runBlock(options, functions);
      if (result.stopped_by === "final_answer") continue;
      throw providerError(`the stand-in's worker ended: ${result.detail}`, { type: "provider-failed" });
    }
  };
  const start = () => {
    if (isRunning) return;
    isRunning = true;
    void serve()
      .catch((fault) => {
        for (const { reject } of pending.values()) reject(fault);
        pending.clear();
      })
      .finally(() => {
        isRunning = false;
        if (pending.size > 0) start(); // a call that came as it ended
      });
  };

  /** @type {RLMProvider} */
  const provider = async ({ messages, signal }) => {
    calls += 1;
    const id = calls;
    try {
      const text = await new Promise((/** @type {(text: string) => void} */ resolve, reject) => {
        pending.set(id, { messages, resolve, reject });
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        wake();
        start();
      });
      return { text, model: MODEL, usage: { cost: 0 }, finishReason: "stop" };
    } finally {
      pending.delete(id);
    }
  };
  return Object.assign(provider, FACTS);
}

/**
 * Run the block that takes calls, in a worker of its own.
 * @param {import("../rlm.d.ts").RLMOptions} options
 * @param {Record<string, import("../wire/types.d.ts").RLMFunction>} tools
 */
async function runBlock(options, tools) {
  const settings = checkedSettings({ ...options, tools }, new URL("../rlm.js", OWN).href);
  const { assets, host, containment, functions } = settings;
  const { path, sha256 } = await ownPackage(assets);
  const names = { name: "rlm-stand-in", version: "0", imports: ["rlm_stand_in"], depends: [] };
  const packages = [{ ...names, file_name: `../${path}`, sha256 }]; // beside the folder of added packages
  const job = { ...(await jobOf(settings, "Answer the calls.", undefined, undefined)), packages };
  const destinations = providerDestinations({ ...FACTS, windowTokens: null });
  const free = { allowedModels: null, allowUnknownPrice: true, keepImages: false, onEgress: null };
  const listeners = { onEvent: () => {}, onCall: () => {} };
  const hosting = { endpoint: "", assets, host, containment };
  const run = { job, listeners, functions, ledger: openLedger({ destinations }), hosting, source: localBlock(CODE) };
  return (await runTree({ ...run, ...free })).result;
}
