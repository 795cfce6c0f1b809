// @ts-check
// Pool: gives each run a fresh worker, from a snapshot where there is one, and keeps one spare ready for the next.
//
// In: the folder of the assets. Out: a booted worker that no run has used; it is never returned. A fault of
// the snapshot or the spare never stops a run: the worker then starts plainly, and says why.

import { bootWorker, loadAssets, makeSnapshot } from "./runtime.js";
import { release } from "../wire/buffers.js";
import { dropSnapshots, keepSnapshot, readSnapshot } from "./snapshot.js";

/**
 * @typedef {import("./types.d.ts").Assets} Assets
 * @typedef {import("./runtime.js").BootedWorker} BootedWorker
 * @typedef {import("./runtime.js").BootOptions} BootOptions
 * @typedef {import("./types.d.ts").HostKind} HostKind
 * @typedef {BootedWorker & {start: string}} StartedWorker `start` names its source
 * @typedef {{data: Blob | null, why: string, wanted: boolean}} Start the snapshot, or why there is none
 * @typedef {{assets: Assets, start: Promise<Start> | null, made: Promise<void> | null, spare: Promise<StartedWorker | null> | null,
 *   isDue: boolean}} Pool
 */

const REFILL_MS = 250;
const MAKE_MS = 2_000;
const SNAPSHOT_DEADLINE_MS = 15_000;
const LEAST_DEVICE_GIB = 2;

/** @type {Map<string, Pool>} */
const pools = new Map();

/**
 * A worker for one run; the one function that gives booted workers.
 * @param {string} base URL of the folder that holds manifest.json
 * @param {BootOptions & {host?: HostKind}} [options]
 * @returns {Promise<StartedWorker>}
 */
export async function takeWorker(base, { host, ...options } = {}) {
  const pool = await poolOf(base, host);
  const spare = isPlain(options) ? await takeSpare(pool) : null;
  const worker = spare ?? (await boot(pool, options));
  refillLater(pool);
  return worker;
}

/**
 * Have a spare ready before the first run.
 * @param {string} base
 * @param {HostKind} [host]
 */
export async function prepareWorker(base, host) {
  await refill(await poolOf(base, host));
}

/**
 * @param {string} base
 * @param {HostKind | undefined} host
 */
async function poolOf(base, host) {
  const assets = await loadAssets(base, host);
  const name = assets.frame === null ? assets.key : `${assets.key} in frames`;
  const known = pools.get(name);
  if (known) return known;
  /** @type {Pool} */
  const pool = { assets, start: null, made: null, spare: null, isDue: false };
  pools.set(name, pool);
  return pool;
}

/**
 * A spare is booted with the defaults; a run with other options boots one.
 * @param {BootOptions} options
 */
function isPlain({ memoryBytes, shared, signal }) {
  return memoryBytes === undefined && shared === undefined && !signal?.aborted;
}

/** @param {Pool} pool */
function takeSpare(pool) {
  const { spare } = pool;
  pool.spare = null;
  return spare;
}

/**
 * @param {Pool} pool
 * @param {BootOptions} options
 * @returns {Promise<StartedWorker>}
 */
async function boot(pool, options) {
  const { data, why } = await startOf(pool);
  if (data !== null) {
    try {
      const worker = await bootWorker(pool.assets, { deadlineMs: SNAPSHOT_DEADLINE_MS, ...options, snapshot: data });
      return { ...worker, start: "snapshot" };
    } catch (error) {
      if (options.signal?.aborted) throw error;
      await refuse(pool, messageOf(error));
      return boot(pool, options);
    }
  }
  return { ...(await bootWorker(pool.assets, options)), start: `no snapshot (${why})` };
}

/**
 * The snapshot that is there already; none is made here, as a run waits.
 * @param {Pool} pool
 */
function startOf(pool) {
  return (pool.start ??= keptStart(pool.assets.key));
}

/**
 * @param {string} key
 * @returns {Promise<Start>}
 */
async function keptStart(key) {
  try {
    return { data: await readSnapshot(key), why: "none is made yet", wanted: true };
  } catch (error) {
    return { data: null, why: messageOf(error), wanted: true };
  }
}

/**
 * Workers do not start from it: no more snapshots on this page, and the next page makes a new one.
 * @param {Pool} pool
 * @param {string} why
 */
async function refuse(pool, why) {
  settle(pool, null, why);
  await dropSnapshots();
}

// ------------------------------------------------------------------------------------------------- while nobody waits

/**
 * A refill that is due stays due: in a loop of runs it would never come if each run put it off.
 * @param {Pool} pool
 */
function refillLater(pool) {
  if (pool.isDue) return;
  pool.isDue = true;
  void startOf(pool).then(({ data }) => {
    const due = () => {
      pool.isDue = false;
      void refill(pool);
    };
    setTimeout(due, data === null ? MAKE_MS : REFILL_MS);
  });
}

/** @param {Pool} pool */
async function refill(pool) {
  if (pool.spare !== null || isSmallDevice()) return;
  await (pool.made ??= ensureSnapshot(pool)); // a second refill waits for it too
  pool.spare ??= boot(pool, {}).then(
    (worker) => watched(pool, worker),
    () => null,
  );
  await pool.spare;
}

function isSmallDevice() {
  return Number(Reflect.get(navigator, "deviceMemory") ?? Infinity) < LEAST_DEVICE_GIB;
}

/**
 * Make the snapshot, once for a page: the next worker says the fault, if there is one.
 * @param {Pool} pool
 */
async function ensureSnapshot(pool) {
  const { data, wanted } = await startOf(pool);
  if (data !== null || !wanted) return;
  settle(pool, null, "it is being made");
  try {
    const made = await makeSnapshot(pool.assets);
    settle(pool, new Blob([made]), "");
    await keepSnapshot(pool.assets.key, made).catch(() => null); // then it lasts a page
    release(made);
  } catch (error) {
    settle(pool, null, messageOf(error));
  }
}

/**
 * @param {Pool} pool
 * @param {Blob | null} data
 * @param {string} why
 */
function settle(pool, data, why) {
  pool.start = Promise.resolve({ data, why, wanted: false });
}

/**
 * A dead spare is dropped without a word.
 * @param {Pool} pool
 * @param {StartedWorker} worker
 */
function watched(pool, worker) {
  const lost = () => {
    worker.terminate();
    pool.spare = null;
  };
  worker.listen({ message: lost, lost });
  return worker;
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
