// The worker without containment, for comparison: the same Pyodide, core, bridge and channel, and nothing removed.
//
// In: the boot message of worker.js. Out: `ready`, then the bridge's messages.

import { loadPyodide } from "/bench/pyodide.mjs";
import createPyodideModule from "/bench/pyodide.asm.mjs";
import { interruptFlag, waitingEnd } from "/rlm/wire/channel.js";

const serve = (wasm, stdlib) => {
  globalThis.fetch = async (url) => new Response(String(url).endsWith(".zip") ? stdlib : null);
  WebAssembly.instantiateStreaming = async (_source, imports) => ({
    module: wasm,
    instance: await WebAssembly.instantiate(wasm, imports),
  });
};

const boot = async ({ port, epoch, wasm, stdlib, core, lock, channel, interrupt }) => {
  serve(wasm, stdlib);
  const pyodide = await loadPyodide({
    createPyodideModule,
    lockFileContents: lock,
    indexURL: "https://assets.invalid/",
  });
  pyodide.FS.writeFile("/lib/core.zip", new Uint8Array(core));
  pyodide.pyimport("sys").path.insert(0, "/lib/core.zip");
  pyodide.pyimport("boot").prepare();
  const bridge = pyodide.pyimport("bridge");
  const post = (message) => port.postMessage(message);
  const { flag, clear } = interruptFlag(interrupt);
  const interruptible = (on) => {
    clear();
    pyodide.setInterruptBuffer(on ? flag : undefined);
  };
  const emit = (body) => post({ type: "events", epoch, body });
  const host = { ...waitingEnd({ channel, interrupt, epoch, post }), interruptible, emit };
  port.onmessage = ({ data }) => {
    const result = bridge.run(JSON.stringify({ ...data.job, contexts: [] }), [], host);
    post({ type: "finished", epoch, result });
  };
  post({ type: "ready", epoch, level: "weak", reason: "", transport: "shared-memory", seconds: 0, tests: [] });
};

globalThis.addEventListener("message", ({ data }) => void boot(data), { once: true });
