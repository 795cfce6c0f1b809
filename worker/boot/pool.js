// @ts-check
// Pool: gives each run a fresh worker, from a snapshot where there is one, and keeps one spare ready for the next.
//
// In: the folder of the assets. Out: a booted worker that no run has used; it is never returned. A fault of
// the snapshot or the spare never stops a run: the worker then starts plainly, and says why. The snapshot is kept by the
// page's cache, by a caller that has a place for it (`openPool`, `keepableSnapshot`), or by nobody.

import { channelError } from "../wire/errors.js";
import { bootWorker, loadAssets, makeSnapshot } from "./runtime.js";
import { release } from "../wire/buffers.js";
import { dropSnapshots, keepSnapshot, readSnapshot } from "./snapshot.js";

/**
 * @typedef {import("./types.d.ts").Assets} Assets
 * @typedef {import("./runtime.js").BootedWorker} BootedWorker
 * @typedef {import("./runtime.js").BootOptions} BootOptions
 * @typedef {import("./types.d.ts").HostKind} HostKind
 * @typedef {BootedWorker & {start: string}} StartedWorker `start` names its source
 * @typedef {Blob | WebAssembly.Module} Image
 * @typedef {{data: Image | null, why: string, wanted: boolean}} Start the snapshot, or why there is none
 * @typedef {"cache" | "caller" | "nobody"} Keeper of the snapshot after this page
 * @typedef {{assets: Assets, start: Promise<Start> | null, made: Promise<void> | null, spare: Promise<StartedWorker | null> | null,
 *   hasGiven: boolean, booting: number, keeper: Keeper, hasSpares: boolean, alone: Set<StartedWorker>, refill: Refill}} Pool
 *   `hasGiven`: a run has come; `booting`: spares that are not ready, taken or not; `alone`: workers of runs over large
 *   contexts
 * @typedef {{afterMs: number, takenAt: number, dueAt: number, timer?: ReturnType<typeof setTimeout>}} Refill of the spare:
 *   `afterMs` a run that comes alone, the last of which came at `takenAt`
 */

const REFILL_MS = 50;
/** After a run that a person asks for: a short one has ended, and a longer one waits for its model. */
const PERSON_REFILL_MS = 1_000;
const MAKE_MS = 2_000;
const SNAPSHOT_DEADLINE_MS = 15_000;
const LEAST_DEVICE_GIB = 2;
const LARGE_BYTES = 16 << 20;
const NOT_MADE = "none is made yet";
const STOPPED = Symbol("stopped");

/** @type {Map<string, Pool>} */
const pools = new Map();

/**
 * A worker for one run; the one function that gives booted workers.
 * @param {string} base URL of the folder that holds manifest.json
 * @param {BootOptions & {host?: HostKind, contextBytes?: number}} [options] beside a run over a context of at least
 *   `LARGE_BYTES` no spare is booted, since both would be in memory at its peak: the spare follows when the worker ends
 * @returns {Promise<StartedWorker>}
 */
export async function takeWorker(base, { host, contextBytes = 0, ...options } = {}) {
  const pool = await poolOf(base, host);
  const isLarge = contextBytes >= LARGE_BYTES;
  if (pool.hasGiven && pool.booting > 0 && !isLarge) refillLater(pool, 0); // runs come faster than workers boot
  pool.hasGiven = true;
  const spare = isPlain(options) ? await takeSpare(pool, options.signal) : null;
  const worker = spare ?? (await boot(pool, options));
  const isSoon = performance.now() - pool.refill.takenAt < pool.refill.afterMs;
  pool.refill.takenAt = performance.now();
  if (isLarge) return alone(pool, worker);
  refillLater(pool, isSoon ? REFILL_MS : pool.refill.afterMs);
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
 * Boot a worker for a run that a person asks for soon; then the snapshot of the next ones is made, before that run rather
 * than beside it. A fault is left to that run.
 * @param {string} base
 * @param {HostKind} [host]
 */
export async function expectRun(base, host) {
  if (isSmallDevice()) return;
  const pool = await poolOf(base, host).catch(() => null);
  if (pool === null) return;
  pool.refill.afterMs = PERSON_REFILL_MS;
  pool.spare ??= bootSpare(pool);
  await pool.spare;
  if (pool.spare !== null) void refill(pool); // else the run came meanwhile, and its worker's refill is due
}

/**
 * Begin with the first worker, which boots now, before its run is known.
 * @param {string} base
 * @param {object} options
 * @param {Promise<Blob | null> | null} [options.snapshot] the one that the caller keeps, made by this build in this
 *   engine; null: nothing of this page is kept; by default the page's cache keeps it
 * @param {boolean} options.hasSpares whether a next worker is booted beside each run
 */
export async function openPool(base, { snapshot, hasSpares }) {
  const pool = await poolOf(base, undefined);
  pool.hasSpares = hasSpares;
  if (snapshot === null) pool.keeper = "nobody";
  else if (snapshot !== undefined) {
    pool.keeper = "caller";
    pool.start = snapshot.then(
      (data) => ({ data, why: NOT_MADE, wanted: data === null }),
      (error) => ({ data: null, why: messageOf(error), wanted: true }),
    );
  }
  pool.spare ??= bootSpare(pool);
  void pool.spare.then(() => refillLater(pool)); // also where no run comes
}

/**
 * The snapshot for the caller of `openPool` to keep, made now if need be; null: workers do not start from it, or there is
 * none.
 * @param {string} base
 */
export async function keepableSnapshot(base) {
  const pool = await poolOf(base, undefined);
  await (pool.made ??= ensureSnapshot(pool));
  const { data } = await startOf(pool);
  return data instanceof Blob ? data : null;
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
  const state = { hasGiven: false, booting: 0, hasSpares: true, alone: new Set() };
  const refill = { afterMs: REFILL_MS, takenAt: -Infinity, dueAt: Infinity };
  /** @type {Pool} */
  const pool = { assets, start: null, made: null, spare: null, keeper: "cache", ...state, refill };
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

/**
 * The spare, booted to its end; a run that is stopped meanwhile leaves it to the next one.
 * @param {Pool} pool
 * @param {AbortSignal | undefined} signal
 */
async function takeSpare(pool, signal) {
  const { spare } = pool;
  pool.spare = null;
  if (spare === null || signal === undefined) return spare;
  const worker = await Promise.race([spare, aborted(signal)]);
  if (worker !== STOPPED) return worker;
  if (pool.spare === null) pool.spare = spare;
  else void spare.then((worker) => worker?.terminate()); // another one was booted meanwhile
  throw channelError("the Python worker was not awaited: the run was stopped.");
}

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(STOPPED), { once: true }));
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
  return (pool.start ??= keptStart(pool));
}

/**
 * @param {Pool} pool
 * @returns {Promise<Start>}
 */
async function keptStart(pool) {
  try {
    const kept = pool.keeper === "cache" ? await readSnapshot(pool.assets.key) : null;
    const bytes = await kept?.arrayBuffer();
    const data = bytes === undefined ? null : await imageOf(pool, bytes);
    if (bytes !== undefined) release(bytes);
    return { data, why: NOT_MADE, wanted: true };
  } catch (error) {
    await dropSnapshots().catch(() => null); // of a page that may keep nothing
    return { data: null, why: messageOf(error), wanted: true };
  }
}

/**
 * Memory for workers to start from: a module, of which the page needs no second copy; bytes for frames, and for a caller
 * that keeps them.
 * @param {Pool} pool
 * @param {ArrayBuffer} bytes
 * @returns {Promise<Image>}
 */
async function imageOf({ assets, keeper }, bytes) {
  return assets.frame === null && keeper !== "caller" ? WebAssembly.compile(bytes) : new Blob([bytes]);
}

/**
 * Workers do not start from it: no more snapshots on this page, and the next page makes a new one.
 * @param {Pool} pool
 * @param {string} why
 */
async function refuse(pool, why) {
  settle(pool, null, why);
  if (pool.keeper === "cache") await dropSnapshots();
}

// ------------------------------------------------------------------------------------------------- while nobody waits

/**
 * The worker, beside which none is booted until it ends.
 * @param {Pool} pool
 * @param {StartedWorker} worker
 * @returns {StartedWorker}
 */
function alone(pool, worker) {
  pool.alone.add(worker);
  const terminate = () => {
    worker.terminate();
    pool.alone.delete(worker);
    refillLater(pool);
  };
  return { ...worker, terminate };
}

/**
 * A refill that is due stays due: in a loop of runs it would never come if each run put it off.
 * @param {Pool} pool
 * @param {number} [milliseconds]
 */
function refillLater(pool, milliseconds = REFILL_MS) {
  void startOf(pool).then(({ data }) => {
    const wait = data === null ? MAKE_MS : milliseconds;
    if (pool.refill.dueAt <= performance.now() + wait) return;
    const due = () => {
      pool.refill.dueAt = Infinity;
      void refill(pool);
    };
    clearTimeout(pool.refill.timer);
    pool.refill.dueAt = performance.now() + wait;
    pool.refill.timer = setTimeout(due, wait);
  });
}

/** @param {Pool} pool */
async function refill(pool) {
  if (isSmallDevice() || pool.alone.size > 0) return;
  await (pool.made ??= ensureSnapshot(pool)); // a second refill waits for it too
  if (pool.hasSpares && pool.alone.size === 0) await (pool.spare ??= bootSpare(pool)); // a run may have come meanwhile
}

/**
 * @param {Pool} pool
 * @returns {Promise<StartedWorker | null>} null: it did not start, and the next run says why
 */
function bootSpare(pool) {
  pool.booting += 1;
  const settled = () => void (pool.booting -= 1);
  const spare = boot(pool, {}).then(
    (worker) => watched(pool, worker),
    () => null,
  );
  void spare.then(settled);
  return spare;
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
    settle(pool, await imageOf(pool, made), "");
    if (pool.keeper === "cache") await keepSnapshot(pool.assets.key, made).catch(() => null); // then it lasts a page
    release(made);
  } catch (error) {
    settle(pool, null, messageOf(error));
  }
}

/**
 * @param {Pool} pool
 * @param {Image | null} data
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
