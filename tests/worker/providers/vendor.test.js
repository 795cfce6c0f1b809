// Providers of vendors: the wire form of each, spoken with a vendor on loopback that records and scripts.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { openPageProvider } from "../../../worker/calls/page_provider.js";
import { anthropic } from "../../../worker/providers/anthropic.js";
import { openaiChat } from "../../../worker/providers/openai_chat.js";
import { ask, everyByte, failure, prompt, sse } from "../scripted_endpoint.js";

const KEY = "sk-person-0123456789";
const seen = [];
let script = [];
let vendor;
let url;

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
    if (cut) return void response.destroy();
    if (hang) return void response.on("close", () => seen.push("left"));
    response.end();
  });
  vendor.listen(0, "127.0.0.1");
  await once(vendor, "listening");
  url = `http://127.0.0.1:${vendor.address().port}`;
});

after(() => vendor.close());

/** Ask one call of an adapter whose vendor answers by `turns`. */
async function asked(adapter, turns, { call = prompt("Q", "some-model"), ...options } = {}) {
  seen.length = 0;
  script = turns;
  const provider = openPageProvider(adapter);
  const none = () => assert.fail("the endpoint was called");
  return ask([call], none, { provider, idleMs: undefined, kind: "root", ...options });
}

function chunk(delta, more = {}) {
  return { id: "1", model: "some-model-2026", choices: [{ index: 0, delta, finish_reason: null }], ...more };
}
const CHAT_END = [
  { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 3 } } },
];
const CHAT = `${sse(chunk({ role: "assistant", content: "" }), chunk({ content: "ab" }), chunk({ content: "ç" }), ...CHAT_END)}data: [DONE]\n\n`;
const MESSAGES = sse(
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
const ADAPTERS = {
  openaiChat: { open: (options) => openaiChat({ baseURL: `${url}/v1`, apiKey: KEY, ...options }), reply: CHAT },
  anthropic: { open: (options) => anthropic({ baseURL: url, apiKey: KEY, ...options }), reply: MESSAGES },
};
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
  seen.length = 0;
  script = [{ text: reply }];
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
    seen.length = 0;
    script = [refusal, { text: reply }];
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

// ---------------------------------------------------------------------------- servers that speak a little differently

const END = [...CHAT_END, "[DONE]"];
function lines(events, { start = "data: ", end = "\n\n" } = {}) {
  return events.map((event) => `${start}${typeof event === "string" ? event : JSON.stringify(event)}${end}`).join("");
}
const PIECES = [chunk({ content: "Pa" }), chunk({ content: "ris" })];
const FORMS = {
  "CRLF, no space, names and ids": { text: lines([...PIECES, ...END], { start: "id: 7\r\ndata:", end: "\r\n\r\n" }) },
  "CR alone": { text: lines([...PIECES, ...END], { end: "\r\r" }) },
  "no blank lines": { text: lines([...PIECES, ...END], { end: "\n" }) },
  "labelled JSON": { type: "application/json", text: lines([...PIECES, ...END]) },
  "not labelled": { type: "application/octet-stream", text: lines([...PIECES, ...END]) },
  "wrapped once more": { text: lines([...PIECES, ...END], { start: "data: data: " }) },
  "a byte order mark": { text: `\ufeff${lines([...PIECES, ...END])}` },
  "[done]": { text: lines([...PIECES, ...CHAT_END, "[done]"]) },
  "no [DONE]": { text: lines([...PIECES, ...CHAT_END]) },
  "no finish reason": { text: lines([...PIECES, CHAT_END[1], "[DONE]"]) },
  "signs of life": {
    text: `event: ping\ndata:\n\nevent: ping\ndata: "hb"\n\n: x\n\n${lines(["{}", ...PIECES, ...END])}`,
  },
  "data on several lines": {
    text: lines([...PIECES.map((piece) => JSON.stringify(piece, null, 1).replaceAll("\n", "\ndata: ")), ...END]),
  },
  "numbers that are no JSON": {
    text: lines(['{"choices":[{"delta":{"content":"Paris"},"logprobs":[NaN,-Infinity]}]}', ...END]),
  },
  "a whole reply on many lines": {
    type: "application/json",
    text: JSON.stringify(
      { choices: [{ message: { content: "Paris" }, finish_reason: "stop" }], usage: CHAT_END[1].usage },
      null,
      2,
    ),
  },
  "a null delta": { text: lines([{ choices: [{ delta: null }] }, ...PIECES, ...END]) },
  "text parts with thinking among them": {
    text: lines([
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "FINAL(7)" }] }] }),
      chunk({ content: [{ type: "text", text: "Pa" }, { text: "ris" }] }),
      ...END,
    ]),
  },
  "thoughts marked beside": {
    text: lines([chunk({ content: "FINAL(7)", extra_content: { google: { thought: true } } }), ...PIECES, ...END]),
  },
  "text in the reasoning field only": { text: lines([chunk({ content: null, reasoning_content: "Paris" }), ...END]) },
  "two replies in turn": {
    text: lines([PIECES[0], { choices: [{ index: 1, delta: { content: "London" } }] }, PIECES[1], ...END]),
  },
  "two replies in one event": {
    text: lines([
      {
        choices: [
          { index: 1, delta: { content: "London" } },
          { index: 0, delta: { content: "Paris" } },
        ],
      },
      ...END,
    ]),
  },
  "all so far beside each piece": {
    text: lines([
      { choices: [{ delta: { content: "Pa" }, message: { content: "Pa" } }] },
      { choices: [{ delta: { content: "ris" }, message: { content: "Paris" } }] },
      ...END,
    ]),
  },
  "thoughts in the total alone": {
    text: lines([...PIECES, { ...END[0], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 13 } }]),
  },
  "zeros behind the counts": {
    text: lines([...PIECES, ...CHAT_END, { choices: [], usage: { prompt_tokens: 0, completion_tokens: 0 } }]),
  },
  "an empty error": { text: lines([{ ...PIECES[0], error: {} }, { ...PIECES[1], error: null }, ...END]) },
};
const MESSAGE_FORMS = {
  "text in the first event of its block": {
    text: lines([
      { type: "message_start", message: { usage: { input_tokens: 9, output_tokens: 1 } } },
      { type: "content_block_start", content_block: { type: "text", text: "Pa" } },
      { type: "content_block_delta", delta: { type: "text_delta", text: "ris" } },
      { type: "content_block_delta", delta: { type: "citations_delta", citation: { cited_text: "FINAL(7)" } } },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 4 } },
    ]),
  },
  "a whole message": {
    type: "application/json",
    text: JSON.stringify({
      content: [
        { type: "thinking", thinking: "FINAL(7)" },
        { type: "text", text: "Paris" },
      ],
      stop_reason: "end_turn",
      usage: { input_tokens: 9, output_tokens: 4 },
    }),
  },
};

for (const [name, forms] of Object.entries({ openaiChat: FORMS, anthropic: MESSAGE_FORMS }))
  for (const [form, turn] of Object.entries(forms))
    test(`${name}: ${form} is read, cut anywhere`, async () => {
      const { text, ...more } = turn;
      const { frames, usage, written } = await asked(ADAPTERS[name].open(), [{ ...more, pieces: everyByte(text) }]);
      assert.equal(frames[0].text, "Paris");
      assert.equal(written.map(([, piece]) => piece.text).join(""), "Paris");
      const [{ input_tokens, output_tokens }] = Object.values(usage);
      assert.deepEqual([input_tokens, output_tokens], [9, 4]);
    });

test("openaiChat: a reply that is whole is over although its connection stays open", async () => {
  for (const end of [CHAT_END, END]) {
    const { frames } = await asked(ADAPTERS.openaiChat.open(), [{ text: lines([...PIECES, ...end]), hang: true }]);
    assert.equal(frames[0].text, "Paris");
  }
});

const REFUSALS = [
  [400, { error: { message: "The model is loaded with context length of only 4096 tokens" } }, "prompt-too-long"],
  [422, { error: "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192." }, "prompt-too-long"],
  [400, { detail: "Prompt length (9000) exceeds the maximum sequence length (8192)" }, "prompt-too-long"],
  [400, { error: { message: "max: 1", type: "budget_exceeded" } }, "quota-spent"],
  [403, "error code: 1020", "call-refused"],
  [500, { error: { message: "the request exceeds the available context size" } }, "prompt-too-long"],
  [429, { error: { message: "Request too large for m on tokens per min (TPM): Limit 3" } }, "prompt-too-long"],
  [429, { error: { message: "Rate limit reached on tokens per min (TPM)" } }, "rate-limited"],
  [429, { error: { message: "Rate limit exceeded: free-models-per-day." } }, "quota-spent"],
  [429, { error: { code: "1113", message: "\u4f59\u989d\u4e0d\u8db3" } }, "quota-spent"],
  [400, [{ error: { message: "API key not valid." } }], "key-refused"],
  [403, "<html>Attention Required!</html>", "call-refused"],
  [403, { error: { code: "unsupported_country_region_territory" } }, "call-refused"],
  [400, { error: { code: "content_filter" } }, "call-refused"],
  [410, { error: { message: "The model m has been deprecated" } }, "model-unknown"],
  [500, { error: { message: "model requires more system memory (8 GiB)" } }, "failed"],
  [302, "", "call-refused"],
  [200, { error: "model runner has unexpectedly stopped" }, "failed"],
  [200, { error: { message: "Invalid API key", code: 401 } }, "key-refused"],
  [200, { choices: null, error_message: "maximum context length" }, "prompt-too-long"],
  [200, { choices: null, base_resp: { status_code: 1008, status_msg: "insufficient balance" } }, "quota-spent"],
  [200, { choices: [], x_groq: { error: "over capacity" } }, "failed"],
  [200, { detail: "Unauthorized", status: 401 }, "key-refused"],
  [200, "<!doctype html><title>Sign in</title>", "malformed"],
  [200, "some words", "malformed"],
  [200, { choices: [{ message: { content: 5 }, finish_reason: "stop" }] }, "malformed"],
  [200, { choices: [{ message: { content: [true] }, finish_reason: "stop" }] }, "malformed"],
];

for (const [status, body, type] of REFUSALS)
  test(`a refusal is ${type}: ${status} ${JSON.stringify(body).slice(0, 60)}`, async () => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const turns = Array.from({ length: 5 }, () => ({ status, text }));
    assert.equal(failure(await asked(ADAPTERS.openaiChat.open(), turns)).type, `upstream-${type}`);
  });

test("an error in a stream is one, after half a text and under its own name", async () => {
  for (const text of [
    lines([PIECES[0], { object: "error", message: "engine died" }]),
    lines([PIECES[0], { choices: [{ delta: {}, finish_reason: "error" }] }]),
    lines([PIECES[0], { choices: [{ delta: {}, finish_reason: "network_error" }] }]),
    "event: error\ndata: Something broke\n\n",
    'error: {"message": "slot unavailable", "code": 503}\n\n',
  ]) {
    const turns = Array.from({ length: 5 }, () => ({ text }));
    assert.equal(failure(await asked(ADAPTERS.openaiChat.open(), turns)).type, "upstream-failed");
  }
});

test("the wait that a vendor asks for in words is kept", async () => {
  const busy = (words) => ({
    status: 429,
    text: JSON.stringify({ error: { message: `Please try again in ${words}` } }),
  });
  const turns = [busy("2m1.5s."), busy("4500ms"), { text: CHAT }];
  const { pauses } = await asked(ADAPTERS.openaiChat.open(), turns);
  assert.deepEqual(pauses, [121_500, 4_500]);
});

test("a prompt of which the model read a part only is an error that says so", async () => {
  const cut = { choices: [], usage: { prompt_tokens: 2_048, completion_tokens: 4 } };
  const call = prompt(`${"word ".repeat(9_000)}`, "some-model");
  const { frames } = await asked(ADAPTERS.openaiChat.open(), [{ text: lines([...PIECES, CHAT_END[0], cut]) }], {
    call,
  });
  assert.match(failure({ frames }).detail, /read 2,048 of about 9,00\d tokens and answered all the same/);
  const indented = prompt(`${" ".repeat(9_000)}word`, "some-model");
  const turn = { text: lines([...PIECES, CHAT_END[0], cut]) };
  assert.equal((await asked(ADAPTERS.openaiChat.open(), [turn], { call: indented })).frames[0].text, "Paris");
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

const SYSTEM = [
  { role: "system", content: "S" },
  { role: "user", content: "Q" },
];
const WAYS = {
  "no stream_options": ["Extra inputs are not permitted: stream_options", (body) => !("stream_options" in body)],
  "no stream": ["Your organization must be verified to stream this model.", (body) => !("stream" in body)],
  "no system role": ["System role not supported", (body) => body.messages[0].content === "S\n\nQ"],
  "another name of the limit": ["Use 'max_completion_tokens' instead.", (body) => body.max_completion_tokens === 100],
  "no system role, in other words": [
    "messages.0.role: Input should be 'user' or 'assistant'",
    (body) => body.messages[0].content === "S\n\nQ",
  ],
  "a limit in other words": ["The maximum value for `max_tokens` is 5,0", (body) => body.max_tokens === 50],
  "a lower limit": ["max_tokens must be less than or equal to 50", (body) => body.max_tokens === 50],
};

for (const [name, [message, isChanged]] of Object.entries(WAYS))
  test(`openaiChat: a refusal has its way round, which is remembered: ${name}`, async () => {
    const refusal = { status: 400, type: "application/json", text: JSON.stringify({ error: { message } }) };
    seen.length = 0;
    script = [refusal, { text: CHAT }, { text: CHAT }];
    const provider = ADAPTERS.openaiChat.open();
    const call = { messages: SYSTEM, model: "m", images: [], schema: null, options: { maxOutputTokens: 100 } };
    const more = { signal: new AbortController().signal, onDelta: () => {} };
    assert.equal((await provider({ ...call, ...more })).text, "abç");
    assert.equal((await provider({ ...call, ...more })).text, "abç");
    assert.deepEqual(
      seen.map(({ body }) => isChanged(body)),
      [false, true, true],
    );
  });

test("anthropic: a lower limit, and no marks for the cache, have their way round", async () => {
  const words = [
    "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens",
    "cache_control: extra",
  ];
  seen.length = 0;
  script = [
    ...words.map((message) => ({ status: 400, text: JSON.stringify({ error: { message } }) })),
    { text: MESSAGES },
  ];
  const call = { messages: SYSTEM, model: "m", images: [], schema: null, options: {} };
  const more = { signal: new AbortController().signal, onDelta: () => {} };
  assert.equal((await ADAPTERS.anthropic.open()({ ...call, ...more })).text, "abç");
  const { max_tokens, system, messages } = seen[2].body;
  assert.deepEqual([max_tokens, system, messages], [4_096, "S", [{ role: "user", content: "Q" }]]);
});
