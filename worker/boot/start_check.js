// @ts-check
// Start check: how a worker starts on this page, for `pyodide-rlm doctor`.
//
// In: the assets' folder. Out: from what a worker started and how long that took. No run, no model call.

import { prepareWorker, takeWorker } from "./pool.js";

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
