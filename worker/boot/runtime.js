// @ts-check
// Runtime: gets Pyodide's assets once per page, and boots workers from them.
//
// In: the folder of the assets. Out: a worker that is ready for one job, or an error that names the stage it hung in.
// Where a snapshot is kept, and which worker is ready before it is needed, are snapshot.js and pool.js; a worker of the
// page's own is made here, one in a sandboxed frame in frame.js.

import { release } from "../wire/buffers.js";
import { sharedLine, sharedMemory } from "../wire/channel.js";
import { messageLine } from "../wire/message_channel.js";
import { channelError, ENDED_OUTSIDE, protocolError } from "../wire/errors.js";
import { fetchAsset, moduleUrl } from "./asset_source.js";
import { openFrame } from "./frame.js";
import { packageHandler } from "./packages.js";
import { BOOT_DEADLINE_MS, MAX_MESSAGE_CHARS, MEMORY_BYTES, MESSAGE_SCHEMAS, WIRE } from "../wire/protocol.js";
import { fieldsOf, mismatch } from "../wire/schema.js";
import { keptPromise } from "./kept_promise.js";

/**
 * @typedef {import("../wire/protocol.js").Boot} Boot
 * @typedef {import("../wire/protocol.js").Ready} Ready
 * @typedef {import("../wire/protocol.js").ToHost} ToHost
 * @typedef {import("../wire/protocol.js").Start | import("../wire/protocol.js").ReplyPart} ToBootedWorker
 * @typedef {import("../wire/types.d.ts").Line} Line
 * @typedef {import("./types.d.ts").Assets} Assets
 * @typedef {import("./types.d.ts").Home} Home
 * @typedef {import("./types.d.ts").HomeOptions} HomeOptions
 * @typedef {import("./types.d.ts").HostKind} HostKind
 */

/**
 * @typedef {object} BootOptions
 * @property {number} [deadlineMs]
 * @property {number} [memoryBytes] most memory of the interpreter
 * @property {boolean} [shared] whether to use shared memory; by default, where it exists
 * @property {Blob | WebAssembly.Module | null} [snapshot] memory to start from, as a module or its bytes
 * @property {(stage: string) => void} [onStage]
 * @property {AbortSignal} [signal] ends a boot under way
 */

/**
 * A worker that is ready. `listen` takes over its messages; `lost` is called once, for a broken or dead worker.
 * @typedef {object} BootedWorker
 * @property {number} epoch
 * @property {boolean} inFrame
 * @property {Ready} ready
 * @property {Line} line how states reach it
 * @property {(message: ToBootedWorker, transfer: Transferable[]) => void} post
 * @property {(listeners: {message: (message: ToHost) => void, lost: (why: string) => void}) => void} listen
 * @property {() => void} terminate
 * @property {(chosen: import("../wire/protocol.js").JobPackage[]) => import("../wire/types.d.ts").Handler} packages answers
 *   its requests for packages: the built-in ones, and those that its run has chosen
 */

const REMEDY = "Reload the page, for the server may have another build by now; or build the assets.";
const COPY =
  'Copy them with "pyodide-rlm embed" or "npx pyodide-rlm-assets" (in a checkout, "make assets"), serve the folder unchanged, ' +
  "and pass its address as the option assets.";
const NOT_SHARED = { channel: null, interrupt: null };

/** @type {Map<string, Promise<Assets>>} */
const cache = new Map();
/** @type {Map<string, ReturnType<typeof fetchedList>>} by folder: a page that was loaded needs its site no more */
const lists = new Map();
let epochs = 0;

/**
 * The assets, fetched and compiled once per page.
 * @param {string} base URL of the folder that holds manifest.json, against that of the page
 * @param {HostKind} [host] by default "auto": a frame where the worker's script comes without a sandbox of its own
 * @returns {Promise<Assets>}
 */
export function loadAssets(base, host = "auto") {
  const folder = new URL(base.endsWith("/") ? base : `${base}/`, document.baseURI);
  return keptPromise(cache, `${host} ${folder}`, () => fetchAssets(folder, host));
}

/**
 * @param {URL} folder
 * @param {HostKind} host
 * @returns {Promise<Assets>}
 */
async function fetchAssets(folder, host) {
  const files = await listed(folder);
  /** @param {string} name */
  const url = (name) => new URL(files[name].path, folder);
  /** @param {string} name */
  const bytes = (name) => loaded(url(name), (response) => response.blob());
  /** @param {string} name */
  const text = (name) => loaded(url(name), (response) => response.text());
  const inFrame = host === "frame" || (host === "auto" && !(await comesWithPolicy(url("worker.js"))));
  const [wasm, stdlib, core, lock, script, relay] = await Promise.all([
    inFrame
      ? bytes("pyodide.asm.wasm")
      : loaded(url("pyodide.asm.wasm"), (response) => WebAssembly.compileStreaming(response)),
    bytes("python_stdlib.zip"),
    bytes("core.zip"),
    text("pyodide-lock.json"),
    inFrame ? text("worker.js") : "",
    inFrame ? text("relay.js") : "",
  ]);
  const frame = inFrame ? { script, relay, relaySha256: files["relay.js"].sha256 } : null;
  return { key: keyOf(files), workerUrl: url("worker.js").href, frame, wasm, stdlib, core, lock, folder: folder.href };
}

/**
 * URL of the module that applies a JSON Schema.
 * @param {string} base as of `loadAssets`
 */
export async function validatorUrl(base) {
  return moduleUrl((await assetFile(base, "json-schema.js")).url);
}

/**
 * A file of the assets, by its plain name.
 * @param {string} base as of `loadAssets`
 * @param {string} name
 */
export async function assetFile(base, name) {
  const folder = new URL(base.endsWith("/") ? base : `${base}/`, document.baseURI);
  const { path, sha256 } = (await listed(folder))[name];
  return { url: new URL(path, folder).href, path, sha256 };
}

/**
 * The files of the assets, by name; they must be of this page's build.
 * @param {URL} folder
 */
function listed(folder) {
  return keptPromise(lists, folder.href, () => fetchedList(folder));
}

/**
 * @param {URL} folder
 * @returns {Promise<Record<string, {path: string, sha256: string}>>}
 */
async function fetchedList(folder) {
  if (folder.protocol === "file:" && location.protocol !== "file:")
    throw channelError(
      `the option assets is missing: this module was bundled, and the folder beside its source, ${folder}, has no address ` +
        `on the web. ${COPY}`,
    );
  const { files, wire } = await manifestOf(new URL("manifest.json", folder));
  if (wire === WIRE) return files;
  throw channelError(
    `This page is of another build (${WIRE}) than the assets at ${folder} (${wire ?? "unknown"}): ` +
      "the server was updated, or the site's copies are of two versions. Reload the page; where that does not help, " +
      "bring page and assets to one version.",
  );
}

/**
 * @param {URL} url
 * @returns {Promise<{files: Record<string, {path: string, sha256: string}>, wire?: string}>}
 */
async function manifestOf(url) {
  const response = await fetchAsset(url, { cache: "no-cache" }).catch((/** @type {TypeError} */ error) => {
    throw channelError(`${url} cannot be fetched (${error.message}). Is the server running?`);
  });
  const found = response.ok ? await response.json().catch(() => null) : null; // a router's page is no JSON
  if (typeof found?.files === "object") return found;
  const answer = response.ok ? "something that is no manifest, perhaps a page of the site" : `${response.status}`;
  throw channelError(`no assets at ${new URL(".", url)}: manifest.json there answered ${answer}. ${COPY}`);
}

/**
 * Whether the worker's script is served with a policy that puts the worker in a sandbox. The rest of the
 * policy is not read here: the worker tests its own reach.
 * @param {URL} url
 */
async function comesWithPolicy(url) {
  if (url.origin !== location.origin) return false;
  const response = await fetch(url, { method: "HEAD" }).catch(() => null); // then that of its text says why
  return response?.ok === true && /\bsandbox\b/.test(response.headers.get("Content-Security-Policy") ?? "");
}

/** @param {Record<string, {sha256: string}>} files */
function keyOf(files) {
  const hashes = Object.values(files).map(({ sha256 }) => sha256.slice(0, 16));
  return ["Suspending" in WebAssembly ? "jspi" : "plain", ...hashes].join("-");
}

/**
 * A file in another form; a connection that breaks under it is named as that.
 * @template T
 * @param {URL} url
 * @param {(response: Response) => Promise<T>} read
 */
async function loaded(url, read) {
  const response = await get(url);
  return read(response).catch((error) => {
    if (!(error instanceof TypeError)) throw error;
    throw channelError(`${url} could not be loaded (${error.message}). Try again: it is fetched anew.`);
  });
}

async function get(/** @type {URL} */ url, /** @type {RequestInit} */ options = {}) {
  const response = await fetchAsset(url, options).catch((/** @type {TypeError} */ error) => {
    throw channelError(`${url} cannot be fetched (${error.message}). Is the server running?`);
  });
  if (!response.ok) throw channelError(`${url} answered ${response.status}. ${REMEDY}`);
  if (/^text\/html\b/.test(response.headers.get("Content-Type") ?? ""))
    throw channelError(`${url} is not there: a page of the site came in its place. ${COPY}`);
  return response;
}

/**
 * @param {Assets} assets
 * @param {BootOptions} [options]
 * @returns {Promise<BootedWorker>}
 */
export async function bootWorker(assets, options = {}) {
  const { snapshot = null, ...rest } = options;
  const image = snapshot instanceof Blob && assets.frame === null ? await compiledOnce(snapshot) : snapshot;
  const { message, sharing, ...worker } = await launch(assets, "run", { ...rest, image });
  if (message.type !== "ready") throw protocolError(`${message.type} instead of ready.`);
  const line = message.transport === "shared-memory" ? sharing : null;
  /** @param {import("../wire/protocol.js").JobPackage[]} chosen */
  const packages = (chosen) => packageHandler(assets, chosen);
  return { ...worker, packages, ready: message, line: line ?? messageLine(worker.post, worker.epoch) };
}

/** @type {WeakMap<Blob, Promise<WebAssembly.Module>>} */
const images = new WeakMap();

/**
 * The module of a snapshot: all workers of the page read its bytes, none can write to them.
 * @param {Blob} snapshot
 */
function compiledOnce(snapshot) {
  const compiled = images.get(snapshot) ?? compiledFrom(snapshot);
  images.set(snapshot, compiled);
  return compiled;
}

/** @param {Blob} snapshot */
async function compiledFrom(snapshot) {
  const bytes = await snapshot.arrayBuffer();
  const module = await WebAssembly.compile(bytes);
  release(bytes); // the module has its own
  return module;
}

/**
 * Boot a worker for its memory only: that of an interpreter with all of ours imported.
 * @param {Assets} assets
 * @param {BootOptions} [options]
 * @returns {Promise<ArrayBuffer>}
 */
export async function makeSnapshot(assets, options = {}) {
  const { message, terminate } = await launch(assets, "snapshot", { ...options, shared: false, image: null });
  terminate();
  if (message.type === "snapshot" && message.data instanceof ArrayBuffer) return message.data;
  throw protocolError("a snapshot that is no ArrayBuffer.");
}

/**
 * Start a worker and wait for the last message of its boot.
 * @param {Assets} assets
 * @param {Boot["purpose"]} purpose
 * @param {Omit<BootOptions, "snapshot"> & {image: Assets["wasm"] | null}} options
 * @returns {Promise<Omit<BootedWorker, "ready" | "line" | "packages"> & {message: ToHost, sharing: Home["line"]}>}
 */
function launch(assets, purpose, options) {
  return new Promise((resolve, reject) => {
    const { deadlineMs = BOOT_DEADLINE_MS, memoryBytes = MEMORY_BYTES, onStage = () => {}, signal } = options;
    const { shared = typeof SharedArrayBuffer === "function", image } = options;
    const epoch = (epochs += 1);
    const link = openLink(assets, epoch, shared);
    let stage = "script";

    const settle = () => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", stop);
    };
    /** @param {string} why */
    const fail = (why) => {
      settle();
      link.terminate();
      reject(channelError(`the Python worker did not start, stage "${stage}": ${why}`));
    };
    const stop = () => fail("stopped");
    const deadline = setTimeout(
      () => fail(`nothing for ${deadlineMs / 1_000} s. Reload the page and try again.`),
      deadlineMs,
    );
    /** @param {ToHost} message */
    const onMessage = (message) => {
      if (message.type === "stage") {
        stage = message.name;
        onStage(stage);
      } else if (message.type === (purpose === "run" ? "ready" : "snapshot")) {
        settle();
        resolve({ epoch, message, ...link });
      } else fail(message.type === "failed" ? message.error : `unexpected message ${message.type}`);
    };
    link.listen({ message: onMessage, lost: fail });
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    else link.boot({ purpose, snapshot: image, memory_bytes: memoryBytes });
  });
}

/**
 * The worker and its private port; each of its messages is checked.
 * @param {Assets} assets
 * @param {number} epoch
 * @param {boolean} shared whether it may share memory with whoever answers it
 */
function openLink({ key, workerUrl, frame, folder, ...assets }, epoch, shared) {
  const { port1: port, port2 } = new MessageChannel();
  /** @type {Parameters<BootedWorker["listen"]>[0]} */
  let listeners = { message: () => {}, lost: () => {} };
  let open = true;

  /** @param {string} why */
  const lost = (why) => {
    if (open) listeners.lost(why);
  };
  const options = { epoch, shared, lost };
  const home = frame === null ? openWorker(workerUrl, options) : openFrame(frame, options);
  const terminate = () => {
    open = false;
    home.end();
    port.close();
  };
  port.onmessage = ({ data }) => {
    if (!open) return;
    const wrong = malformed(data, epoch);
    if (wrong === null) listeners.message(data);
    else lost(`the worker broke the protocol: ${wrong}`);
  };
  port.addEventListener("close", () => lost(ENDED_OUTSIDE));
  port.onmessageerror = () => lost("a message of the worker cannot be read");
  return {
    terminate,
    inFrame: frame !== null,
    sharing: home.line,
    /** @param {typeof listeners} next */
    listen: (next) => void (listeners = next),
    /**
     * @param {ToBootedWorker} message
     * @param {Transferable[]} transfer
     */
    post: (message, transfer) => port.postMessage(message, transfer),
    /** @param {Pick<import("./types.d.ts").FirstMessage, "purpose" | "snapshot" | "memory_bytes">} purpose */
    boot: (purpose) => home.boot({ type: "boot", epoch, port: port2, ...assets, ...purpose }, [port2]),
  };
}

/**
 * A worker of the page's own, contained by the policy of its script's response.
 * @param {string} url
 * @param {HomeOptions} options
 * @returns {Home}
 */
function openWorker(url, { epoch, shared, lost }) {
  const worker = new Worker(url, { type: "module", name: `rlm-${epoch}` });
  const memory = shared ? sharedMemory() : null;
  worker.onmessageerror = () => lost("a message of the worker cannot be read");
  worker.onerror = (event) => {
    event.preventDefault();
    lost(event.message || `its script cannot be loaded. ${REMEDY}`);
  };
  return {
    line: memory && sharedLine(memory.channel, memory.interrupt),
    boot: (message, transfer) => worker.postMessage({ ...message, ...(memory ?? NOT_SHARED) }, transfer),
    end: () => worker.terminate(),
  };
}

/**
 * Why `message` is none that a worker of this epoch may send, or null.
 * @param {unknown} message
 * @param {number} epoch
 */
function malformed(message, epoch) {
  const fields = fieldsOf(message);
  const { type } = fields;
  if (typeof type !== "string" || !Object.hasOwn(MESSAGE_SCHEMAS, type)) return "a message of unknown type";
  const wrong = mismatch(MESSAGE_SCHEMAS[type], fields, type);
  if (wrong !== null) return wrong;
  if (fields.epoch !== epoch) return `${type} of epoch ${fields.epoch}, not ${epoch}`;
  for (const [name, value] of Object.entries(fields))
    if (typeof value === "string" && value.length > MAX_MESSAGE_CHARS)
      return `${type}.${name} is longer than ${MAX_MESSAGE_CHARS} characters`;
  return null;
}
