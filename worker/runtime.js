// @ts-check
// Runtime: gets Pyodide's assets once per page, and boots workers from them.
//
// In: the folder of the assets. Out: a worker that is ready for one job, or an error that names the stage it hung in.
// Where a snapshot is kept, and which worker is ready before it is needed, are snapshot.js and pool.js.

import { sharedMemory } from "./channel.js";
import { channelError, protocolError } from "./errors.js";
import { BOOT_DEADLINE_MS, MAX_MESSAGE_CHARS, MEMORY_BYTES, MESSAGE_SCHEMAS } from "./protocol.js";
import { mismatch } from "./schema.js";

/**
 * @typedef {import("./protocol.js").Boot} Boot
 * @typedef {import("./protocol.js").Ready} Ready
 * @typedef {import("./protocol.js").ToHost} ToHost
 * @typedef {import("./protocol.js").Wheel} Wheel
 * @typedef {import("./protocol.js").Start | import("./protocol.js").ReplyPart} ToBootedWorker
 * @typedef {{channel: SharedArrayBuffer, interrupt: SharedArrayBuffer}} Memory
 */

/**
 * What every worker boots from. `key` names this build, and what of the engine is frozen into its snapshots.
 * @typedef {{key: string, workerUrl: string, wasm: WebAssembly.Module, stdlib: ArrayBuffer, core: ArrayBuffer, wheels: Wheel[], lock: string}} Assets
 */

/**
 * @typedef {object} BootOptions
 * @property {number} [deadlineMs]
 * @property {number} [memoryBytes] most memory of the interpreter
 * @property {boolean} [shared] whether to use shared memory; by default, where it exists
 * @property {ArrayBuffer | null} [snapshot] memory to start from
 * @property {(stage: string) => void} [onStage]
 * @property {AbortSignal} [signal] ends a boot under way
 */

/**
 * A worker that is ready. `listen` takes over its messages; a broken or dead worker is told once, by `lost`.
 * @typedef {object} BootedWorker
 * @property {number} epoch
 * @property {Memory | null} memory null: no shared memory here
 * @property {Ready} ready
 * @property {(message: ToBootedWorker, transfer: Transferable[]) => void} post
 * @property {(listeners: {message: (message: ToHost) => void, lost: (why: string) => void}) => void} listen
 * @property {() => void} terminate
 */

/** Why a worker is lost that did nothing itself: the browser or a developer ended it. */
export const ENDED_OUTSIDE = "it was ended from outside";

/** @type {Map<string, Promise<Assets>>} */
const cache = new Map();
let epochs = 0;

/**
 * What every worker boots from; fetched and compiled once per page.
 * @param {string} base URL of the folder that holds manifest.json, with a slash at its end
 * @returns {Promise<Assets>}
 */
export const loadAssets = (base) => {
  const known = cache.get(base);
  if (known) return known;
  const loading = fetchAssets(base).catch((/** @type {unknown} */ error) => {
    cache.delete(base);
    throw error;
  });
  cache.set(base, loading);
  return loading;
};

/** @returns {Promise<Assets>} */
const fetchAssets = async (/** @type {string} */ base) => {
  const { files } = await (await get(new URL("manifest.json", base), { cache: "no-cache" })).json();
  const url = (/** @type {string} */ name) => new URL(files[name].path, base);
  const bytes = async (/** @type {string} */ name) => (await get(url(name))).arrayBuffer();
  const wheel = async (/** @type {string} */ name) => ({ name, data: await bytes(name) });
  const [wasm, stdlib, core, lock, ...wheels] = await Promise.all([
    WebAssembly.compileStreaming(get(url("pyodide.asm.wasm"))),
    bytes("python_stdlib.zip"),
    bytes("core.zip"),
    get(url("pyodide-lock.json")).then((response) => response.text()),
    ...Object.keys(files).filter((name) => name.endsWith(".whl")).map(wheel),
  ]);
  return { key: keyOf(files), workerUrl: url("worker.js").href, wasm, stdlib, core, wheels, lock };
};

const keyOf = (/** @type {Record<string, {sha256: string}>} */ files) => {
  const hashes = Object.values(files).map(({ sha256 }) => sha256.slice(0, 16));
  return ["Suspending" in WebAssembly ? "jspi" : "plain", ...hashes].join("-");
};

const get = async (/** @type {URL} */ url, /** @type {RequestInit} */ options = {}) => {
  const response = await fetch(url, options).catch((/** @type {TypeError} */ error) => {
    throw channelError(`${url} cannot be fetched (${error.message}). Is the server running?`);
  });
  if (!response.ok) throw channelError(`${url} answered ${response.status}. Build the assets, or check the server.`);
  return response;
};

/**
 * @param {Assets} assets
 * @param {BootOptions} [options]
 * @returns {Promise<BootedWorker>}
 */
export const bootWorker = async (assets, options = {}) => {
  const { said, ...worker } = await launch(assets, "run", options);
  if (said.type !== "ready") throw protocolError(`${said.type} instead of ready.`);
  return { ...worker, ready: said };
};

/**
 * Boot a worker for its memory only: that of an interpreter with all of ours imported.
 * @param {Assets} assets
 * @param {BootOptions} [options]
 * @returns {Promise<ArrayBuffer>}
 */
export const makeSnapshot = async (assets, options = {}) => {
  const { said, terminate } = await launch(assets, "snapshot", { ...options, shared: false });
  terminate();
  if (said.type === "snapshot" && said.data instanceof ArrayBuffer) return said.data;
  throw protocolError("a snapshot that is no ArrayBuffer.");
};

/**
 * Start a worker and wait for the message that its purpose ends in.
 * @param {Assets} assets
 * @param {Boot["purpose"]} purpose
 * @param {BootOptions} options
 * @returns {Promise<Omit<BootedWorker, "ready"> & {said: ToHost}>}
 */
const launch = (assets, purpose, options) =>
  new Promise((resolve, reject) => {
    const { deadlineMs = BOOT_DEADLINE_MS, memoryBytes = MEMORY_BYTES, onStage = () => {}, signal } = options;
    const { shared = typeof SharedArrayBuffer === "function", snapshot = null } = options;
    const memory = shared ? sharedMemory() : null;
    const epoch = (epochs += 1);
    const link = openLink(assets.workerUrl, epoch);
    let stage = "script";

    const settle = () => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", stop);
    };
    const fail = (/** @type {string} */ why) => {
      settle();
      link.terminate();
      reject(channelError(`the Python worker did not start, stage "${stage}": ${why}`));
    };
    const stop = () => fail("stopped");
    const deadline = setTimeout(
      () => fail(`nothing for ${deadlineMs / 1_000} s. Reload the page and try again.`),
      deadlineMs,
    );
    const message = (/** @type {ToHost} */ said) => {
      if (said.type === "stage") {
        stage = said.name;
        onStage(stage);
      } else if (said.type === (purpose === "run" ? "ready" : "snapshot")) {
        settle();
        resolve({ epoch, memory, said, ...link });
      } else fail(said.type === "failed" ? said.error : `unexpected message ${said.type}`);
    };
    link.listen({ message, lost: fail });
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    else link.boot(assets, { purpose, snapshot, memory, memory_bytes: memoryBytes });
  });

/**
 * The worker and its private port, with everything that it says checked.
 * @param {string} url
 * @param {number} epoch
 */
const openLink = (url, epoch) => {
  const worker = new Worker(url, { type: "module", name: `rlm-${epoch}` });
  const { port1: port, port2 } = new MessageChannel();
  /** @type {Parameters<BootedWorker["listen"]>[0]} */
  let listeners = { message: () => {}, lost: () => {} };
  let open = true;

  const terminate = () => {
    open = false;
    worker.terminate();
    port.close();
  };
  const lost = (/** @type {string} */ why) => {
    if (open) listeners.lost(why);
  };
  port.onmessage = ({ data }) => {
    if (!open) return;
    const wrong = malformed(data, epoch);
    if (wrong === null) listeners.message(data);
    else lost(`the worker broke the protocol: ${wrong}`);
  };
  port.addEventListener("close", () => lost(ENDED_OUTSIDE));
  port.onmessageerror = () => lost("a message of the worker cannot be read");
  worker.onmessageerror = () => lost("a message of the worker cannot be read");
  worker.onerror = (event) => {
    event.preventDefault();
    lost(event.message || "its script cannot be loaded");
  };
  return {
    terminate,
    listen: (/** @type {typeof listeners} */ next) => void (listeners = next),
    post: (/** @type {ToBootedWorker} */ message, /** @type {Transferable[]} */ transfer) =>
      port.postMessage(message, transfer),
    /**
     * @param {Assets} assets
     * @param {Pick<Boot, "purpose" | "snapshot" | "memory_bytes"> & {memory: Memory | null}} how
     */
    boot({ key, workerUrl, ...assets }, { memory, ...how }) {
      const { channel, interrupt } = memory ?? { channel: null, interrupt: null };
      /** @type {Boot} */
      const message = { type: "boot", epoch, port: port2, ...assets, channel, interrupt, ...how };
      worker.postMessage(message, [port2]);
    },
  };
};

/**
 * Why `message` is none that a worker of this epoch may send, or null.
 * @param {unknown} message
 * @param {number} epoch
 */
const malformed = (message, epoch) => {
  const { type, ...fields } = /** @type {Record<string, unknown>} */ (Object(message));
  if (typeof type !== "string" || !Object.hasOwn(MESSAGE_SCHEMAS, type)) return "a message of unknown type";
  const wrong = mismatch(MESSAGE_SCHEMAS[type], fields, type);
  if (wrong !== null) return wrong;
  if (fields.epoch !== epoch) return `${type} of epoch ${fields.epoch}, not ${epoch}`;
  const long = Object.entries(fields).find(
    ([, value]) => typeof value === "string" && value.length > MAX_MESSAGE_CHARS,
  );
  return long ? `${type}.${long[0]} is longer than ${MAX_MESSAGE_CHARS} characters` : null;
};
