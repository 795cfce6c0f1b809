// @ts-check
// Frame: a worker's home for pages whose headers are not ours. It is an iframe of opaque origin with its own policy,
// which the worker in it inherits; in it runs relay.js, and nothing else of ours.
//
// In: the two scripts, and the worker's first message. Out: a home as runtime.js knows it; to end it is to remove the
// frame. The worker's own port goes through it, so that messages between page and worker do not.

import { messageLine } from "../wire/message_channel.js";
import { ENDED_OUTSIDE } from "../wire/errors.js";

/**
 * @typedef {import("./types.d.ts").FirstMessage} FirstMessage
 * @typedef {import("./types.d.ts").FrameAssets} FrameAssets
 * @typedef {import("../wire/protocol.js").ReplyPart} ReplyPart
 * @typedef {import("../wire/types.d.ts").FromRelay} FromRelay
 * @typedef {import("../wire/types.d.ts").RelayedInterrupt} RelayedInterrupt
 */

const PING_MS = 1_000;
const MOST_UNANSWERED = 15;
const SILENT =
  "its frame does not answer. Does this page's own Content-Security-Policy forbid its script or its worker?";

/**
 * The line of a host without access to the worker's memory: the relay shares it, and writes for the host.
 * @param {(message: ReplyPart | RelayedInterrupt, transfer: Transferable[]) => void} post
 * @param {number} epoch
 * @returns {import("../wire/types.d.ts").Line}
 */
function relayedLine(post, epoch) {
  return {
    put: messageLine(post, epoch).put,
    interrupt: (sequence, reason) => post({ type: "interrupt", sequence, reason }, []),
  };
}

/**
 * @param {FrameAssets} assets
 * @param {import("./types.d.ts").HomeOptions} options
 * @returns {import("./types.d.ts").Home}
 */
export function openFrame({ script, relay, relaySha256 }, { epoch, shared, lost }) {
  const frame = frameOf(relay, relaySha256, epoch);
  const { port1, port2: port } = new MessageChannel();
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  const pings = openPings(() => port1.postMessage({ type: "ping" }), lost);
  port1.onmessage = (/** @type {MessageEvent<FromRelay>} */ { data }) => {
    if (data.type === "lost") lost(`in its frame: ${data.why}`);
    else pings.answered();
  };
  document.documentElement.append(frame);
  return {
    line: relayedLine((message, transfer) => port1.postMessage(message, transfer), epoch),
    async boot(boot, transfer) {
      await loaded;
      frame.contentWindow?.postMessage({ script, boot, shared, port }, "*", [port, ...transfer]);
      pings.begin();
    },
    end() {
      pings.end();
      port1.close();
      frame.remove();
    },
  };
}

/**
 * @param {string} relay
 * @param {string} sha256
 * @param {number} epoch
 */
function frameOf(relay, sha256, epoch) {
  const frame = document.createElement("iframe");
  frame.sandbox.add("allow-scripts");
  frame.allow = "cross-origin-isolated";
  frame.hidden = true;
  frame.title = `rlm-${epoch}`;
  frame.srcdoc = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policyFor(sha256)}">
<script>${relay}</script>`;
  return frame;
}

/**
 * Nothing but the relay, WebAssembly, and a worker made from the page's message.
 * @param {string} sha256
 */
function policyFor(sha256) {
  const digits = sha256.match(/../g) ?? [];
  const hash = btoa(String.fromCharCode(...digits.map((digit) => parseInt(digit, 16))));
  return `default-src 'none'; script-src 'sha256-${hash}' 'wasm-unsafe-eval'; worker-src blob:`;
}

/**
 * Whether the frame is alive: its process may die alone, and the page's own scripts may remove it, without an event.
 * @param {() => void} ping
 * @param {(why: string) => void} lost
 */
function openPings(ping, lost) {
  let everAnswered = false;
  let unanswered = 0;
  let timer = 0;
  const next = () => {
    if (unanswered === MOST_UNANSWERED) lost(everAnswered ? ENDED_OUTSIDE : SILENT);
    unanswered += 1;
    ping();
  };
  return {
    begin() {
      timer = setInterval(next, PING_MS);
      next();
    },
    answered() {
      everAnswered = true;
      unanswered = 0;
    },
    end: () => clearInterval(timer),
  };
}
