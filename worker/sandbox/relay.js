// @ts-check
// Relay: all that runs in the sandboxed frame. It starts the worker there, and writes for the page into the memory that
// the worker shares with this frame and nobody else.
//
// In: one message of the page, with the worker's script and its first message. Out, on the port that came with it: `pong`
// for each `ping`, and `lost` when the worker cannot continue. The worker's messages do not pass here: it has its own port.

import { sharedLine, sharedMemory } from "../wire/channel.js";

/**
 * @typedef {import("../wire/types.d.ts").Settlement} Settlement
 * @typedef {import("../wire/types.d.ts").FromRelay} FromRelay
 */

/**
 * Write a message of the page to the line.
 * @param {import("../wire/types.d.ts").Line} line
 * @param {import("../wire/protocol.js").ReplyPart | import("../wire/types.d.ts").RelayedInterrupt} message
 */
function write(line, message) {
  if (message.type === "interrupt") line.interrupt(message.sequence, message.reason);
  else line.put(message.sequence, message.state, new Uint8Array(message.data));
}

/** @param {Settlement} settlement */
async function start({ script, boot, shared, port }) {
  /** @param {FromRelay} message */
  const post = (message) => port.postMessage(message);
  /** @param {string} why */
  const lost = (why) => post({ type: "lost", why });
  const memory = shared && typeof SharedArrayBuffer === "function" ? sharedMemory() : null;
  const line = memory && sharedLine(memory.channel, memory.interrupt);
  port.onmessage = (/** @type {MessageEvent<import("../wire/types.d.ts").ToRelay>} */ { data }) => {
    if (data.type === "ping") post({ type: "pong" });
    else if (line !== null) write(line, data);
  };
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  worker.onerror = (event) => {
    event.preventDefault();
    lost(event.message || "its script cannot be started");
  };
  worker.onmessageerror = () => lost("its first message cannot be read");
  try {
    const [wasm, snapshot] = await Promise.all([compiled(boot.wasm), boot.snapshot && compiled(boot.snapshot)]);
    const { channel, interrupt } = memory ?? { channel: null, interrupt: null };
    worker.postMessage({ ...boot, wasm, snapshot, channel, interrupt }, [boot.port]);
  } catch (error) {
    lost(String(error));
  }
}

/** @param {Blob} bytes */
async function compiled(bytes) {
  return WebAssembly.compile(await bytes.arrayBuffer());
}

/** @param {MessageEvent<Settlement>} event */
function onSettlement({ source, data }) {
  if (source !== parent) return;
  removeEventListener("message", onSettlement);
  void start(data);
}

addEventListener("message", onSettlement);
