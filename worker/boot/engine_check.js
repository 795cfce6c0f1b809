// @ts-check
// Engine check: how a worker starts on this page, at which containment, and by which channel it would wait.
//
// In: the assets' folder. Out: facts, or the cause that no worker starts here. No run, no model call. The page, the command's
// doctor and embedders ask here; a run names the same facts in its first notice.

import { engineName, missingChannel } from "../wire/engine.js";
import { prepareWorker, takeWorker } from "./pool.js";
import { bootWorker, loadAssets } from "./runtime.js";

/** @typedef {import("../wire/types.d.ts").RLMEngine} RLMEngine */

/**
 * @param {string} assets
 * @param {import("./types.d.ts").HostKind} [host]
 * @returns {Promise<RLMEngine>}
 */
export async function checkedEngine(assets, host) {
  const name = engineName();
  const missing = missingChannel();
  const nothing = { name, channel: null, containment: null, inFrame: false };
  if (missing !== null) return { ...nothing, reason: `${missing.cause} ${missing.remedy}` };
  try {
    const worker = await bootWorker(await loadAssets(assets, host));
    worker.terminate();
    const { level, reason, transport } = worker.ready;
    return { name, channel: transport, containment: level, inFrame: worker.inFrame, reason };
  } catch (error) {
    return { ...nothing, reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * The second start on this page: the first one makes the snapshot that it uses.
 * @param {string} assets
 */
export async function measuredStart(assets) {
  await prepareWorker(assets);
  (await takeWorker(assets)).terminate();
  const began = performance.now();
  const worker = await takeWorker(assets);
  worker.terminate();
  return { start: worker.start, seconds: (performance.now() - began) / 1_000 };
}
