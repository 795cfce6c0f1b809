// Providers of vendors: the wire form of each, its address, and what a reply gives.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { openaiChat } from "../../../worker/providers/openai_chat.js";
import { everyByte, failure, prompt, sse } from "../scripted_endpoint.js";
import { ADAPTERS, CHAT, KEY, MESSAGES, answersBy, asked, seen, url } from "./scripted_vendor.js";

const USED = { calls: 1, input_tokens: 9, output_tokens: 4, cached_tokens: 3, cost: null };

for (const [name, { open, reply }] of Object.entries(ADAPTERS)) {
  test(`${name}: text, usage, model and pieces of a streamed reply, cut anywhere`, async () => {
    const { frames, usage, written } = await asked(open(), [{ pieces: everyByte(reply) }]);
    assert.equal(frames[0].text, "abç");
    assert.equal(frames[0].meta.finish_reason, "stop");
    assert.deepEqual(usage, { "some-model-2026": USED });
    assert.equal(written.map(([, { text }]) => text).join(""), "abç");
  });

  test(`${name}: the key goes in its header to the vendor alone, and no error shows it`, async () => {
    const refusal = JSON.stringify({ error: { type: "authentication_error", message: `bad key ${KEY}` } });
    const { frames } = await asked(open(), [{ status: 401, type: "application/json", text: refusal }]);
    const { detail, type, retryable, status } = failure({ frames });
    assert.match(detail, /^127\.0\.0\.1:\d+ refused the call \(401, authentication_error\)\. Check the key/);
    assert.deepEqual([type, retryable, status], ["upstream-key-refused", false, 401]);
    assert.ok(!JSON.stringify(frames).includes(KEY));
    const { headers } = seen[0];
    assert.ok([headers.authorization, headers["x-api-key"]].includes(name === "anthropic" ? KEY : `Bearer ${KEY}`));
  });

  test(`${name}: refusals are retried where they may pass, with their wait`, async () => {
    const busy = { status: 429, type: "application/json", text: '{"error": {"message": "try again in 3s"}}' };
    const down = { status: 503, type: "text/html", text: "<html>" };
    const { frames, pauses } = await asked(open(), [busy, down, { text: reply }]);
    assert.equal(frames[0].text, "abç");
    assert.deepEqual(pauses, [3_000, 2_000]);
    const spent = { status: 429, type: "application/json", text: '{"error": {"code": "insufficient_quota"}}' };
    assert.equal(failure(await asked(open(), [spent])).type, "upstream-quota-spent");
    const long = { status: 400, type: "application/json", text: '{"error": {"message": "prompt is too long: 3"}}' };
    assert.equal(failure(await asked(open(), [long])).type, "upstream-prompt-too-long");
    const gone = { status: 404, type: "application/json", text: '{"error": {"type": "not_found_error"}}' };
    assert.equal(failure(await asked(open(), [gone])).type, "upstream-model-unknown");
  });

  test(`${name}: a reply without its end, a broken connection and an error inside are tried again`, async () => {
    const half = reply.slice(0, reply.length / 2);
    const error = sse({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } });
    const { frames, posts } = await asked(open(), [
      { text: half },
      { pieces: [half], cut: true },
      { text: error },
      { text: reply },
    ]);
    assert.equal(frames[0].text, "abç");
    assert.deepEqual([posts.length, seen.length], [0, 4]);
  });

  test(`${name}: a stop ends the vendor's request`, async () => {
    const stop = new AbortController();
    const left = asked(open(), [{ pieces: [reply.slice(0, 200)], hang: true }], { signal: stop.signal });
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    assert.equal(failure(await left).type, "stopped");
    while (!seen.includes("left")) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test(`${name}: a call needs a model; the adapter may name one`, async () => {
    const nobody = await asked(open(), [], { call: prompt("Q") });
    assert.match(failure(nobody).detail, new RegExp(`^no model was named: pass model to RLM, or to ${name}`));
    await asked(open({ model: "own" }), [{ text: reply }], { call: prompt("Q") });
    assert.equal(seen[0].body.model, "own");
  });

  test(`${name}: addresses and keys that cannot be are refused`, () => {
    assert.throws(() => open({ baseURL: "api.example" }), {
      name: "ConfigError",
      message: new RegExp(`^${name}: baseURL`),
    });
    assert.throws(() => open({ apiKey: "two words" }), {
      name: "ConfigError",
      message: new RegExp(`^${name}: apiKey`),
    });
  });
}

const CONVERSATION = [
  { role: "system", content: "S" },
  { role: "user", content: "one" },
  { role: "user", content: "two" },
  { role: "assistant", content: "A" },
  { role: "user", content: "three" },
];
const SCHEMA = { type: "object", properties: { a: {} }, required: ["a"], additionalProperties: false };
const PICTURE = { type: "image/png", data: "AAAA" };
const OPTIONS = { temperature: 0.5, topP: 0.9, maxOutputTokens: 100, reasoningEffort: "low", seed: 7 };

async function bodyOf(adapter, reply, call) {
  answersBy([{ text: reply }]);
  const plain = { messages: CONVERSATION, model: "m", images: [], schema: null, options: {} };
  await adapter({ ...plain, ...call, signal: new AbortController().signal, onDelta: () => {} });
  return seen[0];
}

test("openaiChat: turns alternate; images, schema and options have the vendor's form", async () => {
  const call = { images: [PICTURE], schema: SCHEMA, options: OPTIONS };
  const { path, body } = await bodyOf(ADAPTERS.openaiChat.open(), CHAT, call);
  assert.equal(path, "/v1/chat/completions");
  assert.deepEqual(body.messages.slice(0, 3), [
    { role: "system", content: "S" },
    { role: "user", content: "one\n\ntwo" },
    { role: "assistant", content: "A" },
  ]);
  assert.deepEqual(body.messages[3].content, [
    { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
    { type: "text", text: "three" },
  ]);
  const { messages: _, ...rest } = body;
  assert.deepEqual(rest, {
    model: "m",
    temperature: 0.5,
    top_p: 0.9,
    max_tokens: 100,
    reasoning_effort: "low",
    seed: 7,
    response_format: { type: "json_schema", json_schema: { name: "reply", schema: SCHEMA, strict: true } },
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("anthropic: system text apart, the cache marked; images, schema and options have the vendor's form", async () => {
  const { path, headers, body } = await bodyOf(ADAPTERS.anthropic.open(), MESSAGES, {
    schema: SCHEMA,
    options: OPTIONS,
  });
  assert.equal(path, "/v1/messages");
  assert.equal(headers["anthropic-dangerous-direct-browser-access"], "true");
  const cached = { cache_control: { type: "ephemeral" } };
  assert.deepEqual(body, {
    model: "m",
    max_tokens: 100,
    system: [{ type: "text", text: "S", ...cached }],
    messages: [
      { role: "user", content: "one\n\ntwo" },
      { role: "assistant", content: "A" },
      { role: "user", content: [{ type: "text", text: "three", ...cached }] },
    ],
    temperature: 0.5,
    top_p: 0.9,
    output_config: { effort: "low", format: { type: "json_schema", schema: SCHEMA } },
    stream: true,
  });
  const pictured = await bodyOf(ADAPTERS.anthropic.open(), MESSAGES, { images: [PICTURE] });
  assert.deepEqual(pictured.body.messages[2].content, [
    { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
    { type: "text", text: "three" },
  ]);
  assert.equal(pictured.body.max_tokens, 8_192);
});

for (const [name, { open, reply }] of Object.entries(ADAPTERS))
  test(`${name}: a vendor that refuses the schema is asked without it`, async () => {
    const refusal = { status: 400, type: "application/json", text: '{"error": {"message": "unknown json_schema"}}' };
    answersBy([refusal, { text: reply }]);
    const call = { messages: CONVERSATION, model: "m", images: [], schema: SCHEMA, options: {} };
    const { text } = await open()({ ...call, signal: new AbortController().signal, onDelta: () => {} });
    assert.equal(text, "abç");
    assert.deepEqual(
      seen.map(({ body }) => /json_schema/.test(JSON.stringify(body))),
      [true, false],
    );
  });

test("openaiChat: a reply that comes whole is read too; one that is none says so", async () => {
  const whole = { choices: [{ message: { content: "W" }, finish_reason: "length" }], model: "m", usage: { cost: 0.5 } };
  const { frames, usage } = await asked(ADAPTERS.openaiChat.open(), [
    { type: "application/json", text: JSON.stringify(whole) },
  ]);
  assert.deepEqual([frames[0].text, frames[0].meta.finish_reason, usage.m.cost], ["W", "length", 0.5]);
  const other = await asked(ADAPTERS.openaiChat.open(), [{ type: "application/json", text: '{"ok": true}' }]);
  assert.match(failure(other).detail, /answered with something that is no reply. Check the base URL/);
});

test("openaiChat: a vendor that is gone is told apart from one whose CORS refuses the page", async () => {
  const closed = createServer();
  closed.listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address();
  closed.close();
  const gone = await asked(openaiChat({ baseURL: `http://127.0.0.1:${port}/v1` }), []);
  assert.match(
    failure(gone).detail,
    /^127\.0\.0\.1:\d+ cannot be reached at http:.*Is it running, is the address right/,
  );
  assert.equal(failure(gone).type, "upstream-unreachable");
});

const ADDRESSES = [
  ["openaiChat", "/v1/", "/v1/chat/completions"],
  ["openaiChat", "/v1/chat/completions", "/v1/chat/completions"],
  [
    "openaiChat",
    "/openai/deployments/{model}?api-version=2024",
    "/openai/deployments/m%2Fn/chat/completions?api-version=2024",
  ],
  ["openaiChat", "?k=1", "/chat/completions?k=1"],
  ["anthropic", "/v1", "/v1/messages"],
  ["anthropic", "/proxy/v1/messages", "/proxy/v1/messages"],
];

for (const [name, base, path] of ADDRESSES)
  test(`${name}: the base URL ${base} leads to ${path}`, async () => {
    const { open, reply } = ADAPTERS[name];
    const sent = await bodyOf(open({ baseURL: url + base }), reply, { model: "m/n" });
    assert.equal(sent.path, path);
    assert.equal(sent.body.model, "m/n");
  });
