// Refusals of vendors: the type of each, the wait it asks for, and the way round that mends it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf } from "../../../worker/providers/vendor_failures.js";
import { failure, prompt } from "../scripted_endpoint.js";
import { ADAPTERS, CHAT, CHAT_END, MESSAGES, PIECES, answersBy, asked, lines, seen } from "./scripted_vendor.js";

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
  [400, { message: "The prompt is longer than the maximum model length of 4096." }, "prompt-too-long"],
  [400, { error: { code: "1261", message: "Prompt \u8d85\u957f" } }, "prompt-too-long"],
  [403, { message: "Out of call volume quota." }, "quota-spent"],
  [403, [{ error: { message: "This API method requires billing to be enabled." } }], "quota-spent"],
  [429, { error: { message: "Rate limit of 50 per 86400s exceeded for UserByModelByDay." } }, "quota-spent"],
  [429, { error: { message: "Rate limit of 10 per 60s exceeded for UserByModelByMinute." } }, "rate-limited"],
  [429, { error: { code: "NoCapacity" } }, "failed"],
  [400, { message: "The provided model identifier is invalid." }, "model-unknown"],
  [410, { detail: "The model has reached its end of life" }, "model-unknown"],
  [200, { type: "error", error: { type: "billing_error" } }, "quota-spent"],
  [200, { type: "error", error: { type: "permission_error" } }, "key-refused"],
  [200, { Error: { Message: "maximum context length" } }, "prompt-too-long"],
  [200, { fault: { faultstring: "maximum context length" } }, "prompt-too-long"],
  [200, { err: "maximum context length" }, "prompt-too-long"],
  [200, { error_code: 18, error_msg: "maximum context length" }, "prompt-too-long"],
  [200, { ResponseMetadata: { Error: { Message: "maximum context length" } } }, "prompt-too-long"],
  [200, { title: "Too Many Requests", status: 429 }, "rate-limited"],
  [200, { choices: [{ delta: {}, error: { code: 429, message: "slow" } }] }, "rate-limited"],
  [200, "<!doctype html><title>Sign in</title>", "malformed"],
  [400, { error: { code: "tool_use_failed", failed_generation: "The rate limit per day" } }, "failed"],
  [400, { error: { code: "json_validate_failed", failed_generation: "context window" } }, "failed"],
  [200, { error: "Unexpected endpoint or method. (POST /chat/completions)" }, "model-unknown"],
  [200, { error: { message: "Reached context length of 4096 tokens with this model" } }, "prompt-too-long"],
  [403, { error: { code: "AccountOverdueError", message: "It has an overdue balance." } }, "quota-spent"],
  [403, { reason: "NOT_ENOUGH_BALANCE", message: "not enough balance" }, "quota-spent"],
  [403, { error: { message: "Key limit exceeded (total limit)." } }, "quota-spent"],
  [403, { error: { message: "The free tier of the model has been exhausted." } }, "quota-spent"],
  [429, { error: { message: "Credit limit exceeded", type: "credit_limit" } }, "quota-spent"],
  [429, { error: { code: "QuotaExceeded", message: "It has exhausted its free trial quota." } }, "quota-spent"],
  [404, { error: { message: "No endpoints found matching your data policy." } }, "call-refused"],
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

const WAITS = [
  [{ "retry-after": "7" }, "{}", 7],
  [{ "retry-after-ms": "250", "retry-after": "9" }, "{}", 0.25],
  [{ "retry-after": "500ms" }, "{}", 0.5],
  [{ "retry-after": "1m30s" }, "{}", 90],
  [{ "retry-after": "2 seconds" }, "{}", 2],
  [{ "retry-after": '"7"' }, "{}", 7],
  [{ "retry-after": "7, 7" }, "{}", 7],
  [{ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, "{}", 0],
  [{ "retry-after": "2015-10-21T07:28:00Z" }, "{}", 0],
  [{ "retry-after": "-1" }, "{}", null],
  [{ "retry-after": "1e3" }, "{}", null],
  [{ "retry-after": "9999999" }, "{}", null],
  [{ "retry-after": "soon" }, "{}", null],
  [{}, '{"error": {"message": "Please wait 12 seconds before retrying."}}', 12],
  [{}, '{"error": {"message": "Try again in 20 milliseconds"}}', 0.02],
  [{}, '{"error": {"retry_after": 9}}', 9],
  [{}, '{"error": {"metadata": {"retry_after_seconds": 9}}}', 9],
  [{}, '{"error": {"retry_after_ms": 900}}', 0.9],
];
for (const [headers, body, wait] of WAITS)
  test(`a wait is ${wait}: ${JSON.stringify(headers)} ${body}`, () => {
    assert.equal(failureOf("a.test", { status: 429, body, headers: new Headers(headers) }).retryAfter ?? null, wait);
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
  "no counts, in other words": ['Unknown name "streamOptions"', (body) => !("stream_options" in body)],
  "no stream, in other words": ["'stream' must be false", (body) => !("stream" in body)],
  "a limit that is exceeded": ["The maximum tokens exceeds the model limit of 50.", (body) => body.max_tokens === 50],
  "a lower limit": ["max_tokens must be less than or equal to 50", (body) => body.max_tokens === 50],
};

for (const [name, [message, isChanged]] of Object.entries(WAYS))
  test(`openaiChat: a refusal has its way round, which is remembered: ${name}`, async () => {
    const refusal = { status: 400, type: "application/json", text: JSON.stringify({ error: { message } }) };
    answersBy([refusal, { text: CHAT }, { text: CHAT }]);
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

const SCHEMA = { type: "object", properties: {}, required: [], additionalProperties: false };
const NO_SCHEMAS = [
  [400, "response_format is not supported"],
  [404, "No endpoints found that can handle the requested parameters: response_format"],
  [422, "response_format.type: Input should be 'text' or 'json_object'"],
  [500, "failed to compile grammar"],
  [501, "guided decoding not supported"],
];

for (const [name, { open, reply }] of Object.entries(ADAPTERS))
  for (const [status, message] of NO_SCHEMAS)
    test(`${name}: a refused schema is left out, and only that one later: ${status} ${message}`, async () => {
      const refusal = { status, type: "application/json", text: JSON.stringify({ error: { message } }) };
      answersBy([refusal, { text: reply }, { text: reply }, { text: reply }]);
      const [provider, other] = [open(), { ...SCHEMA, title: "other" }];
      const call = { messages: SYSTEM, model: "m", images: [], options: { reasoningEffort: "low" } };
      for (const schema of [SCHEMA, SCHEMA, other])
        await provider({ ...call, schema, signal: new AbortController().signal, onDelta: () => {} });
      assert.deepEqual(
        seen.map(({ body }) => [JSON.stringify(body).includes("json_schema"), JSON.stringify(body).includes('"low"')]),
        [
          [true, true],
          [false, true],
          [false, true],
          [true, true],
        ],
      );
    });

test("anthropic: a lower limit, and no marks for the cache, have their way round", async () => {
  const words = [
    "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens",
    "cache_control: extra",
  ];
  answersBy([
    ...words.map((message) => ({ status: 400, text: JSON.stringify({ error: { message } }) })),
    { text: MESSAGES },
  ]);
  const call = { messages: SYSTEM, model: "m", images: [], schema: null, options: {} };
  const more = { signal: new AbortController().signal, onDelta: () => {} };
  assert.equal((await ADAPTERS.anthropic.open()({ ...call, ...more })).text, "abç");
  const { max_tokens, system, messages } = seen[2].body;
  assert.deepEqual([max_tokens, system, messages], [4_096, "S", [{ role: "user", content: "Q" }]]);
});
