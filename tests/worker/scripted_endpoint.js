// A broker whose endpoint is scripted: its requests, the outcome of each call, and its waits.

import assert from "node:assert/strict";
import { answeringEnd } from "../../worker/wire/answering_end.js";
import { openBroker } from "../../worker/calls/broker.js";
import { CHUNK, FRAME_ERROR, LAST, PROGRESS } from "../../worker/wire/protocol.js";

export const USAGE = { calls: 1, input_tokens: 3, output_tokens: 2, cached_tokens: 1, cost: 0.5 };
function utf8(text) {
  return new TextEncoder().encode(text);
}
export function sse(...events) {
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
}
export function ndjson(...lines) {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}
export const done = { done: true, model: "m", usage: USAGE };

/** A response whose body comes in `parts`; an Error among them breaks the connection there. */
export function streamed(parts, { type = "text/event-stream", status = 200 } = {}) {
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) {
        if (part instanceof Error) return controller.error(part);
        controller.enqueue(typeof part === "string" ? utf8(part) : part);
      }
      return controller.close();
    },
  });
  return new Response(body, { status, headers: { "content-type": type } });
}
export function everyByte(text) {
  return Array.from(utf8(text), (byte) => Uint8Array.of(byte));
}
export function json(value, options) {
  return new Response(JSON.stringify(value), { headers: { "content-type": "application/json" }, ...options });
}

/**
 * Ask `calls` of a broker whose endpoint is `respond`; its frames, usage and time. Waits are noted, not waited;
 * `isKnown` says that something answers at the endpoint, `waited` is told of each wait.
 */
export async function ask(
  calls,
  respond,
  { kind = "sub", body, signal, key, isKnown = false, waited = () => {}, ...more } = {},
) {
  const posts = [];
  const finished = [];
  const pauses = [];
  const notices = [];
  const written = [];
  const reasoned = [];
  const fetcher = async (url, init) => {
    posts.push({ url, ...JSON.parse(new TextDecoder().decode(init.body)) });
    init.signal.throwIfAborted();
    return respond(posts.length - 1, init);
  };
  const witness = {
    started: () => 100,
    replyPiece: (call, piece) => written.push([call, piece]),
    reasoningPiece: (call, piece) => reasoned.push([call, piece]),
    finished: (call, outcome) => finished.push([call, outcome]),
    noticed: (text) => notices.push(text),
  };
  const pause = async (ms) => {
    pauses.push(ms);
    await waited(pauses.length);
  };
  const waits = { pause, random: () => 0.5, isKnown };
  const cancelled = [];
  const cancel = async (...request) => void cancelled.push(request);
  const broker = openBroker({ endpoint: "/api/rlm", witness, fetcher, waits, cancel, ...more });
  const reply = collector();
  const keyed = (...[text, answer, data]) =>
    broker.handle(text, { ...answer, idempotencyKey: key && (() => key) }, data);
  const host = answeringEnd({ line: reply.line, handler: keyed });
  reply.attach(host);
  signal?.addEventListener("abort", () => broker.close());
  void host.request({
    type: "request",
    epoch: 1,
    sequence: 1,
    body: body ?? JSON.stringify({ op: "complete", kind, calls }),
  });
  const got = await reply.ended;
  host.close();
  const used = { usage: broker.usage(), stored: broker.stored() };
  return { ...got, posts, finished, pauses, notices, written, reasoned, cancelled, ...used };
}

/** A line that takes everything at once, and reads the frames when the reply ends. */
function collector() {
  const chunks = [];
  let host;
  let ended;
  const line = {
    interrupt: () => {},
    put(sequence, state, bytes) {
      if (state === PROGRESS) return true;
      if (state === CHUNK || state === LAST) chunks.push(bytes.slice());
      if (state === CHUNK) queueMicrotask(() => host.ack({ type: "ack", epoch: 1, sequence }));
      else if (state === LAST) ended({ frames: framesIn(Buffer.concat(chunks)) });
      else ended({ error: JSON.parse(new TextDecoder().decode(bytes)) });
      return true;
    },
  };
  return { line, attach: (end) => void (host = end), ended: new Promise((resolve) => void (ended = resolve)) };
}

export function framesIn(bytes) {
  const frames = [];
  for (let left = bytes.toString(); left !== ""; ) {
    const [index, status, meta, characters] = JSON.parse(left.slice(0, left.indexOf("\n")));
    const text = [...left.slice(left.indexOf("\n") + 1)].slice(0, characters).join("");
    assert.equal([...text].length, characters);
    frames.push({ index, status, meta, text });
    left = left.slice(left.indexOf("\n") + 1 + text.length);
  }
  return frames;
}

export function prompt(content, model = null) {
  return { model, messages: [{ role: "user", content }] };
}
export function failure({ frames: [{ status, meta }] }) {
  assert.equal(status, FRAME_ERROR);
  return meta;
}
