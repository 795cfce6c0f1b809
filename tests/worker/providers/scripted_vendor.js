// Scripted vendor: a vendor on loopback that records and scripts, and the whole replies of each dialect.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before } from "node:test";
import { openPageProvider } from "../../../worker/calls/page_provider.js";
import { anthropic } from "../../../worker/providers/anthropic.js";
import { openaiChat } from "../../../worker/providers/openai_chat.js";
import { ask, prompt, sse } from "../scripted_endpoint.js";

export const KEY = "sk-person-0123456789";
export const seen = [];
let script = [];
let vendor;
export let url;

before(async () => {
  vendor = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { method, headers } = request;
    if (method === "GET") return void response.end(); // a look whether it is there
    seen.push({ method, path: request.url, headers, body: JSON.parse(Buffer.concat(parts).toString() || "null") });
    const {
      status = 200,
      type = "text/event-stream",
      text = "",
      pieces,
      hang,
      cut,
    } = script.shift() ?? { status: 500 };
    response.writeHead(status, { "content-type": type });
    for (const piece of pieces ?? [text]) response.write(piece);
    if (cut) return void setImmediate(() => response.socket.end()); // what was written leaves before
    if (hang) return void response.on("close", () => seen.push("left"));
    response.end();
  });
  vendor.listen(0, "127.0.0.1");
  await once(vendor, "listening");
  url = `http://127.0.0.1:${vendor.address().port}`;
});

after(() => vendor.close());

/** The vendor answers by `turns`; what it saw before is forgotten. */
export function answersBy(turns) {
  seen.length = 0;
  script = turns;
}

/** Ask one call of an adapter whose vendor answers by `turns`. */
export async function asked(adapter, turns, { call = prompt("Q", "some-model"), ...options } = {}) {
  answersBy(turns);
  const provider = openPageProvider(adapter);
  const none = () => assert.fail("the endpoint was called");
  return ask([call], none, { provider, idleMs: undefined, kind: "root", ...options });
}

export function chunk(delta, more = {}) {
  return { id: "1", model: "some-model-2026", choices: [{ index: 0, delta, finish_reason: null }], ...more };
}
export const CHAT_END = [
  { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 3 } } },
];
export const CHAT = `${sse(chunk({ role: "assistant", content: "" }), chunk({ content: "ab" }), chunk({ content: "ç" }), ...CHAT_END)}data: [DONE]\n\n`;
export const MESSAGES = sse(
  {
    type: "message_start",
    message: {
      model: "some-model-2026",
      content: [],
      usage: { input_tokens: 5, cache_read_input_tokens: 3, cache_creation_input_tokens: 1, output_tokens: 1 },
    },
  },
  { type: "ping" },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "ab" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "ç" } },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 4 } },
  { type: "message_stop" },
);
export const ADAPTERS = {
  openaiChat: { open: (options) => openaiChat({ baseURL: `${url}/v1`, apiKey: KEY, ...options }), reply: CHAT },
  anthropic: { open: (options) => anthropic({ baseURL: url, apiKey: KEY, ...options }), reply: MESSAGES },
};
export const END = [...CHAT_END, "[DONE]"];
export function lines(events, { start = "data: ", end = "\n\n" } = {}) {
  return events.map((event) => `${start}${typeof event === "string" ? event : JSON.stringify(event)}${end}`).join("");
}
export const PIECES = [chunk({ content: "Pa" }), chunk({ content: "ris" })];
