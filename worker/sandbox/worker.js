// @ts-check
// Worker entry: boots Pyodide in named stages, locks the realm down, and runs one job.
//
// In: one `boot` message on the worker itself, then `start` on the private port that came with it.
// Out, on that port: a `stage` per stage, `ready` or `failed`; then requests, events, and `finished` or `failed`.
// It fetches nothing: all it needs comes with `boot`. Its Python half is boot.py and bridge.py.

import "./classic_worker.js";
import { loadPyodide } from "pyodide";
import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { joined, release } from "../wire/buffers.js";
import { canWait, interruptFlag, waitingEnd } from "../wire/channel.js";
import { missingChannel } from "../wire/engine.js";
import { postRequest, suspendingEnd } from "../wire/message_channel.js";
import { HEALTH_STAGE } from "../wire/protocol.js";
import { putLateFile } from "./late_file.js";
import { capMemory, lockDown, removeObjectUrls, serveAssets } from "./lockdown.js";
import { headerOf, imageOf, restore, usedPages } from "./memory_image.js";
import { mendReads } from "./mounted.js";
import { selfTest } from "./selftest.js";

/**
 * @typedef {import("../wire/protocol.js").Boot} Boot
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/protocol.js").ToHost} ToHost
 * @typedef {import("../wire/protocol.js").ToWorker} ToWorker
 * @typedef {import("../wire/protocol.js").Ready["level"]} Level
 * @typedef {import("../wire/protocol.js").Ready["transport"]} Transport
 * @typedef {import("./pyodide.js").Bridge} Bridge
 * @typedef {import("./pyodide.js").Pyodide} Pyodide
 * @typedef {(message: ToHost, transfer?: ArrayBuffer[]) => void} Post
 */

const ASSETS = "https://assets.invalid/";
const LIBRARY = "/lib/";
const LIBRARY_NAME = /^python\d+\.zip$/;
const CORE = `${LIBRARY}rlm_core.zip`;
const CONTEXT_FOLDER = "/context";
const DESCRIPTOR_BYTES = 1 << 20;
const OwnFile = File; // the lock-down removes the global before any context is mounted

removeObjectUrls();
globalThis.addEventListener("message", (event) => void boot(event.data), { once: true });

/** The bytes of the library and the core. @typedef {{stdlib: ArrayBuffer, core: ArrayBuffer}} Archives */

/** @param {Boot} message */
async function boot(message) {
  const { port, epoch } = message;
  const post = poster(port);
  const stages = stageReporter(post, epoch);
  try {
    const read = message.snapshot === null ? readArchives(message) : null;
    const tested = selfTest(canWait);
    const archives = await read;
    stages.enter("protect");
    capMemory(message.memory_bytes);
    serveAssets(message.wasm, archives?.stdlib ?? new ArrayBuffer(0));
    stages.enter("pyodide");
    const { pyodide, takeOutput, fresh } = await startPyodide(message);
    stages.enter("core");
    installCore(pyodide, message, archives);
    if (message.purpose === "snapshot") return sendSnapshot(pyodide, message, fresh());
    const bridge = loadBridge(pyodide);
    bridge.HEALTH.begin();
    stages.enter("self-test");
    const tests = await tested;
    stages.enter("lock-down");
    const line = openLine(message, pyodide, post);
    const host = { ...line.host, take_output: takeOutput };
    const verdict = lowered(tests, lockDown());
    port.onmessage = ({ data }) => {
      if (data.type === "reply") line.deliver(data);
      else if (data.type === "start") {
        post({ type: "heartbeat", epoch });
        void run(data.job, { pyodide, bridge, line: { ...line, host }, post, epoch });
      }
    };
    post({ type: "ready", epoch, ...verdict, transport: line.transport, seconds: performance.now() / 1_000 });
  } catch (error) {
    post({ type: "failed", epoch, stage: stages.current(), error: describe(error) });
  }
}

/**
 * @param {Boot} boot
 * @returns {Promise<Archives>}
 */
async function readArchives(boot) {
  const [stdlib, core] = await Promise.all([boot.stdlib.arrayBuffer(), boot.core.arrayBuffer()]);
  return { stdlib, core };
}

/**
 * @param {StartJob} job
 * @param {{pyodide: Pyodide, bridge: Bridge, line: ReturnType<typeof openLine>, post: Post, epoch: number}} booted
 */
async function run(job, { pyodide, bridge, line, post, epoch }) {
  try {
    const contexts = mountContexts(pyodide, job);
    const text = JSON.stringify({ ...job, contexts: [] });
    /** @param {string} body */
    const emit = (body) => post({ type: "events", epoch, body });
    /** @param {string} fault */
    const fail = (fault) => post({ type: "failed", epoch, stage: HEALTH_STAGE, error: fault });
    /** @param {string} body @param {Uint8Array<ArrayBuffer>[]} views */
    const ahead = (body, ...views) => postRequest(post, { type: "ahead", epoch, body }, views);
    const host = { ...line.host, emit, fail, ahead };
    const suspends = line.transport === "jspi";
    const result = suspends ? await bridge.run.callPromising(text, contexts, host) : bridge.run(text, contexts, host);
    post({ type: "finished", epoch, result });
  } catch (error) {
    post({ type: "failed", epoch, stage: "run", error: describe(error) });
  }
}

/**
 * The self-test's verdict, not `full` when globals could not be removed.
 * @param {Awaited<ReturnType<typeof selfTest>>} verdict
 * @param {string[]} left
 * @returns {{level: Level, reason: string}}
 */
function lowered({ level, reason }, left) {
  return left.length === 0 || level !== "full"
    ? { level, reason }
    : { level: "network", reason: `globals left: ${left.join(", ")}` };
}

/**
 * Posts by captured functions, so that a prototype changed by model code cannot read messages.
 * @param {MessagePort} port
 * @returns {Post}
 */
function poster(port) {
  const { apply } = Reflect;
  const { postMessage } = port;
  return (message, transfer = []) => void apply(postMessage, port, [message, transfer]);
}

/**
 * @param {Post} post
 * @param {number} epoch
 */
function stageReporter(post, epoch) {
  let name = "start";
  return {
    current: () => name,
    /** @param {string} next */
    enter(next) {
      name = next;
      post({ type: "stage", epoch, name, seconds: performance.now() / 1_000 });
    },
  };
}

/** @param {Boot} boot */
async function startPyodide({ lock, snapshot, purpose }) {
  /** @type {string[]} */
  const output = [];
  /** @param {string} line */
  const say = (line) => void output.push(line);
  const env = { PYTHONHASHSEED: "0", MPLBACKEND: "agg" }; // sets keep their order in a replay; figures need no screen
  const { createModule, fresh } = moduleFor(purpose, snapshot);
  const own = { createPyodideModule: createModule, lockFileContents: lock, jsglobals: Object.create(null), env };
  const memory =
    snapshot === null ? { _makeSnapshot: purpose === "snapshot" } : { _loadSnapshot: headerOf(snapshot).header };
  const options = /** @type {object} */ ({ ...own, ...memory, indexURL: ASSETS, stdout: say, stderr: say });
  try {
    const pyodide = /** @type {Pyodide} */ (/** @type {unknown} */ (await loadPyodide(options)));
    return { pyodide, takeOutput: collectStreams(pyodide), fresh };
  } catch (error) {
    throw new Error(`${describe(error)} ${output.slice(-5).join(" ")}`.trim(), { cause: error });
  }
}

/**
 * Collect output past the REPL's own streams (file descriptors 1 and 2), in bounded memory.
 * @param {Pyodide} pyodide
 * @returns {() => Uint8Array | undefined} the bytes since it was called last
 */
function collectStreams(pyodide) {
  const encoder = new TextEncoder();
  /** @type {Uint8Array[]} */
  let parts = [];
  let room = DESCRIPTOR_BYTES;
  let dropped = 0;
  const write = (/** @type {Uint8Array} */ bytes) => {
    const kept = bytes.slice(0, room);
    if (kept.length > 0) parts.push(kept);
    room -= kept.length;
    dropped += bytes.length - kept.length;
    return bytes.length;
  };
  pyodide.setStdin({ error: true });
  pyodide.setStdout({ write });
  pyodide.setStderr({ write });
  return () => {
    if (parts.length === 0) return undefined; // Python's None
    if (dropped > 0) parts.push(encoder.encode(`\n[... ${dropped} bytes more not shown ...]\n`));
    const taken = joined(parts);
    parts = [];
    room = DESCRIPTOR_BYTES;
    dropped = 0;
    return taken;
  };
}

/**
 * Pyodide's module. Its memory is that of the snapshot where there is one: what Pyodide copies into it then is nothing.
 * @param {Boot["purpose"]} purpose
 * @param {WebAssembly.Module | null} snapshot
 */
function moduleFor(purpose, snapshot) {
  let fresh = new Uint8Array();
  return {
    fresh: () => fresh,
    /** @param {import("./pyodide.js").PyodideModule} module its settings; what it gets later is added to them */
    async createModule(module) {
      if (purpose === "snapshot") module.onRuntimeInitialized = () => void (fresh = usedPages(module.HEAP8));
      await createPyodideModule(module);
      if (snapshot === null) return module;
      const { length } = headerOf(snapshot);
      if (length > module.HEAP8.length) module.growMemory(length);
      restore(snapshot, module.memory);
      return module;
    },
  };
}

/**
 * Put the core first among the files that Python imports from. Its modules in a snapshot are imported already; the files
 * are not there, or empty.
 * @param {Pyodide} pyodide
 * @param {Boot} message
 * @param {Archives | null} archives null beside a snapshot
 */
function installCore({ FS, runPython }, { core, stdlib }, archives) {
  if (archives === null) {
    for (const name of FS.readdir(LIBRARY).filter((name) => LIBRARY_NAME.test(name)))
      putLateFile(FS, `${LIBRARY}${name}`, stdlib);
    putLateFile(FS, CORE, core);
  } else {
    FS.writeFile(CORE, new Uint8Array(archives.core));
    for (const data of [archives.core, archives.stdlib]) release(data);
  }
  runPython(`import sys; sys.path[:0] = {${JSON.stringify(CORE)}} - set(sys.path)`);
}

/**
 * @param {Pyodide} pyodide
 * @param {Boot} message
 * @param {Uint8Array} fresh pages that are in use before Python starts
 */
function sendSnapshot(pyodide, { port, epoch }, fresh) {
  pyodide.runPython("import boot, bridge; bridge.HEALTH.learn()");
  pyodide._module.HEAP8 = new Int8Array(); // Pyodide copies it whole behind its header
  const memory = new Uint8Array(pyodide._module.memory.buffer);
  const data = imageOf(pyodide.makeMemorySnapshot(), memory, fresh).buffer;
  /** @type {import("../wire/protocol.js").Snapshot} */
  const message = { type: "snapshot", epoch, data };
  port.postMessage(message, [data]);
}

/**
 * @param {Pyodide} pyodide
 * @returns {Bridge}
 */
function loadBridge(pyodide) {
  pyodide.FS.mkdir(CONTEXT_FOLDER);
  mendReads(pyodide.FS);
  // The first mount makes the file system's reader, which it could not make after the lock-down.
  pyodide.FS.mount(pyodide.FS.filesystems.WORKERFS, { files: [] }, CONTEXT_FOLDER);
  pyodide.FS.unmount(CONTEXT_FOLDER);
  pyodide.pyimport("boot").prepare();
  return pyodide.pyimport("bridge");
}

/**
 * Mount the job's files read-only, without reading them.
 * @param {Pyodide} pyodide
 * @param {StartJob} job
 * @returns {Array<[string, string, Uint8Array | undefined]>} name, type, and the bytes unless it is a file
 */
function mountContexts(pyodide, { contexts, session }) {
  const folder = session ? `${CONTEXT_FOLDER}_${session}` : CONTEXT_FOLDER;
  const files = contexts.filter(({ type }) => type === "file" || type === "mounted");
  const blobs = files.map(({ name, data }) => ({ name, data }));
  if (blobs.length > 0 && folder !== CONTEXT_FOLDER) pyodide.FS.mkdir(folder);
  if (blobs.length > 0) pyodide.FS.mount(pyodide.FS.filesystems.WORKERFS, { blobs }, folder);
  for (const { name, data } of files) keepTime(pyodide, `${folder}/${name}`, data);
  return contexts.map(({ name, type, data }) => [
    name,
    type,
    data instanceof ArrayBuffer ? new Uint8Array(data) : undefined,
  ]);
}

/**
 * Give a mounted file the time of its last change; WORKERFS takes the time of the mount.
 * @param {Pyodide} pyodide
 * @param {string} path
 * @param {StartJob["contexts"][number]["data"]} data
 */
function keepTime(pyodide, path, data) {
  if (data instanceof OwnFile) pyodide.FS.utime(path, data.lastModified, data.lastModified);
}

/**
 * The channel and the interrupt switch as the bridge sees them.
 * @param {Boot} message
 * @param {Pyodide} pyodide
 * @param {Post} post
 * @returns {{transport: Transport, deliver: (part: import("../wire/protocol.js").ReplyPart) => void, host: object}}
 */
function openLine({ channel, interrupt, epoch }, pyodide, post) {
  if (channel === null || interrupt === null) {
    const missing = missingChannel(false);
    if (missing !== null)
      throw new Error(`model code cannot wait for replies here. ${missing.cause} ${missing.remedy}`);
    const { deliver, ...end } = suspendingEnd({ epoch, post });
    const host = { ...end, interruptible: () => {}, stop_reason: () => 0 };
    return { transport: "jspi", deliver, host };
  }
  const { flag, clear } = interruptFlag(interrupt);
  let inBlock = false;
  /** @param {boolean} on */
  const interruptible = (on) => {
    inBlock = on;
    clear();
    pyodide.setInterruptBuffer(on ? flag : undefined);
  };
  const host = { ...waitingEnd({ channel, interrupt, epoch, post, inBlock: () => inBlock }), interruptible };
  return { transport: "shared-memory", deliver: () => {}, host };
}

/**
 * An error in one line: that of Python is a whole traceback, whose last line is the message.
 * @param {unknown} error
 */
function describe(error) {
  if (!(error instanceof Error)) return String(error);
  return error.name === "PythonError"
    ? String(error.message.trim().split("\n").pop())
    : `${error.name}: ${error.message}`;
}
