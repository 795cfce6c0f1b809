// Forms of replies: servers that speak a dialect a little differently.

import assert from "node:assert/strict";
import { test } from "node:test";
import { everyByte } from "../scripted_endpoint.js";
import { ADAPTERS, CHAT_END, END, PIECES, answersBy, asked, chunk, lines } from "./scripted_vendor.js";

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
  "signs of life with objects": {
    text: lines(['{"at": 1764}', ...PIECES, ...END], { start: "event: heartbeat\ndata: " }),
  },
  "no JSON behind the end": { text: lines([...PIECES, ...END, '{"a":']) },
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
  "text as a value of its part": {
    text: lines([chunk({ content: [{ type: "text", text: { value: "Paris" } }] }), ...END]),
  },
  "parts of another vendor": {
    text: lines([chunk({ content: { parts: [{ text: "Pa" }, { text: "ris" }] } }), ...END]),
  },
  "text beside the delta's content": { text: lines([chunk({ text: "Paris" }), ...END]) },
  "the whole message once more": {
    text: lines([
      ...PIECES,
      { choices: [{ delta: {}, message: { content: "Paris" }, finish_reason: "stop" }] },
      ...END.slice(1),
    ]),
  },
  "the whole reply once more": {
    text: lines([
      ...PIECES,
      { choices: [{ message: { content: "Paris" }, finish_reason: "stop" }], usage: CHAT_END[1].usage },
      "[DONE]",
    ]),
  },
  "messages in place of deltas": {
    text: lines([
      { choices: [{ message: { content: "Pa" } }] },
      { choices: [{ message: { content: "ris" } }] },
      ...END,
    ]),
  },
  "numbers as text": {
    text: lines([
      { choices: [{ index: "0", delta: { content: "Paris" } }] },
      { choices: [{ index: "1", delta: { content: "London" } }] },
      ...END,
    ]),
  },
  "a null among the choices": { text: lines([{ choices: [null] }, ...PIECES, ...END]) },
  "a space before the colon": { text: lines([...PIECES, ...END], { start: "data : " }) },
  "wrapped twice more": { text: lines([...PIECES, ...END], { start: "data: data: data: " }) },
  "[DONE] without data": { text: `${lines([...PIECES, ...CHAT_END])}[DONE]\n\n` },
  "half of [DONE]": { text: `${lines([...PIECES, ...CHAT_END])}data: [DO` },
  "a connection that breaks behind the end": { text: lines([...PIECES, ...CHAT_END]), cut: true },
  "half an event behind the end": { text: `${lines([...PIECES, ...CHAT_END])}data: {"id` },
  "a line end in a string": {
    type: "application/json",
    text:
      '{"choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}],' +
      '"usage":{"prompt_tokens":9,"completion_tokens":4},"note":"a\nb"}',
  },
  "counts by input and output": {
    text: lines([...PIECES, { ...END[0], usage: { inputTokens: 9, outputTokens: 4 } }]),
  },
  "counts of candidates": {
    text: lines([...PIECES, { ...END[0], usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4 } }]),
  },
  "counts of tokens apart": {
    text: lines([...PIECES, { ...END[0], usage: { tokens: { input_tokens: 9, output_tokens: 4 } } }]),
  },
  "counts of a proxy, with those of its cache": {
    text: lines([
      ...PIECES,
      {
        ...END[0],
        usage: {
          prompt_tokens: 9,
          completion_tokens: 4,
          cache_read_input_tokens: 3,
          cache_creation_input_tokens: 1,
        },
      },
    ]),
  },
  "a finish reason that is null in words": {
    text: lines([{ choices: [{ ...PIECES[0].choices[0], finish_reason: "null" }] }, PIECES[1], ...END]),
  },
  "lines of Ollama's own API": {
    text: lines(
      [
        { message: { content: "Pa" }, done: false },
        { message: { content: "ris" }, done: false },
        { message: { content: "" }, done: true, done_reason: "stop", prompt_eval_count: 9, eval_count: 4 },
      ],
      { start: "", end: "\n" },
    ),
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

const THOUGHTS = {
  "a list": { reasoning_content: [{ type: "text", text: "hm" }] },
  "an object": { reasoning: { content: "hm" } },
  details: { reasoning_details: [{ type: "reasoning.text", text: "hm" }] },
  "a summary in details": { reasoning_details: [{ type: "reasoning.summary", summary: "hm" }] },
  "a summary in a part": {
    content: [{ type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] }],
  },
  thoughts: { thoughts: "hm" },
};

for (const [form, delta] of Object.entries(THOUGHTS))
  test(`openaiChat: reasoning as ${form} is read, and is no text`, async () => {
    const reply = await replyOf([chunk(delta), ...PIECES, ...END]);
    assert.deepEqual([reply.text, reply.reasoning], ["Paris", "hm"]);
  });

const ENDS = {
  "a tool call that stops": [chunk({ reasoning: "hm", tool_calls: [{ index: 0 }] }), "stop", "", "tool_calls"],
  "a tool call of Ollama's": [
    { message: { content: "", tool_calls: [{ function: { name: "f" } }] }, done: false },
    "stop",
    "",
    "tool_calls",
  ],
  "a refusal in a part": [
    chunk({ content: [{ type: "refusal", refusal: "I cannot." }] }),
    "stop",
    "I cannot.",
    "content_filter",
  ],
  "another spelling": [PIECES[0], "FINISH_REASON_MAX_TOKENS", "Pa", "length"],
  "a guardrail": [PIECES[0], "guardrail_intervened", "Pa", "content_filter"],
  "a malformed call": [PIECES[0], "MALFORMED_FUNCTION_CALL", "Pa", "tool_calls"],
  "half a character": [chunk({ content: "Pa\ud83d" }), "stop", "Pa\ufffd", "stop"],
};

for (const [form, [first, word, text, reason]] of Object.entries(ENDS))
  test(`openaiChat: ${form} has its reason`, async () => {
    const end = { choices: [{ index: 0, delta: {}, finish_reason: word }] };
    const reply = await replyOf([first, end, "[DONE]"]);
    assert.deepEqual([reply.text, reply.finishReason], [text, reason]);
  });

test("openaiChat: null in words ends no reply", async () => {
  const piece = { choices: [{ ...PIECES[0].choices[0], finish_reason: "null" }] };
  await assert.rejects(replyOf([piece]), { type: "upstream-cut-off" });
});

test("openaiChat: the cost of a reply is a number or a sum of parts", async () => {
  for (const cost of [0.006, { request_cost: 0.005, total_cost: 0.006 }]) {
    const usage = { prompt_tokens: 9, completion_tokens: 4, cost };
    assert.equal((await replyOf([...PIECES, { ...END[0], usage }])).usage.cost, 0.006);
  }
});

const UNREADABLE = {
  "choices that are no list": [{ choices: { 0: {} } }, "[DONE]"],
  "choices that are text": [{ choices: ["Paris"] }, "[DONE]"],
  "content that is a number": [chunk({ content: 5 }), ...END],
  "text without text": [chunk({ content: [{ type: "text", text: null }] }), ...END],
  "no choices": [{ choices: [] }],
};

for (const [form, events] of Object.entries(UNREADABLE))
  test(`openaiChat: ${form} is no reply`, async () => {
    await assert.rejects(replyOf(events), { type: "upstream-malformed", retryable: false });
  });

/** The reply of the adapter itself to one call that the vendor answers by `events`. */
async function replyOf(events) {
  answersBy([{ text: lines(events) }]);
  const call = {
    messages: [{ role: "user", content: "Q" }],
    model: "some-model",
    images: [],
    schema: null,
    options: {},
  };
  const { signal } = new AbortController();
  return ADAPTERS.openaiChat.open()({ ...call, signal, onDelta: () => {} });
}
