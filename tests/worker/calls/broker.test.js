// The broker against a scripted fetch: whatever the endpoint does, each call ends once, in a frame of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openBroker } from "../../../worker/calls/broker.js";
import { encodeFrame } from "../../../worker/wire/frames.js";
import { FRAME_ERROR, FRAME_OK } from "../../../worker/wire/protocol.js";
import {
  USAGE,
  ask,
  done,
  everyByte,
  failure,
  framesIn,
  json,
  ndjson,
  prompt,
  sse,
  streamed,
} from "../scripted_endpoint.js";

test("a sub-call is one POST of its prompt, answered whole, and late behind white space", async () => {
  const sent = [];
  const got = await ask([prompt("hi", "openai:x")], (_, { headers }) => {
    sent.push(headers.accept);
    return streamed(["\n", "\n", JSON.stringify({ text: "hello", ...done })], { type: "application/json" });
  });
  assert.match(sent.join(), /^application\/json;heartbeat=1/);
  assert.deepEqual(got.posts, [{ url: "/api/rlm", prompt: "hi", model: "openai:x", stream: false }]);
  assert.deepEqual(got.frames, [
    { index: 0, status: FRAME_OK, meta: { finish_reason: null, model: "m", usage: USAGE }, text: "hello" },
  ]);
  assert.deepEqual(got.usage, { m: USAGE });
  assert.deepEqual(got.finished, [
    [100, { completion: { text: "hello", model: "m", usage: USAGE, finish_reason: null, reasoning: "" } }],
  ]);
});

test("a schema travels beside the prompt that ends with it, and only calls with the same one together", async () => {
  const [one, other] = ['{"type": "object"}', '{"type": "array"}'];
  const shaped = (text, schema) => ({ ...prompt(`${text} ${schema}`), schema });
  const linesOf = (prompts) => ndjson(...prompts.map((_, index) => ({ index, text: "{}" })), { done: true });
  const answer = (_, { body }) => {
    const { prompts } = JSON.parse(new TextDecoder().decode(body));
    return prompts ? streamed([linesOf(prompts)], { type: "application/x-ndjson" }) : streamed([sse(done)]);
  };
  const alone = await ask([shaped("a", one)], answer);
  assert.deepEqual(alone.posts, [{ url: "/api/rlm", prompt: `a ${one}`, schema: { type: "object" }, stream: false }]);
  const alike = await ask([shaped("a", one), shaped("b", one)], answer);
  assert.deepEqual(
    alike.posts.map(({ type, schema }) => [type, schema]),
    [["batch", { type: "object" }]],
  );
  const unlike = await ask([shaped("a", one), shaped("b", other)], answer);
  assert.deepEqual(
    unlike.posts.map(({ type, schema }) => [type, schema]),
    [
      [undefined, { type: "object" }],
      [undefined, { type: "array" }],
    ],
  );
});

test("a schema that is no part of its prompt does not leave", async () => {
  const schema = '{"const": "a secret"}';
  for (const call of [
    { ...prompt("a"), schema },
    { ...prompt(`${schema} a`), schema },
    { ...prompt("[1]"), schema: "[1]" },
    { ...prompt("x".repeat(50_000)), schema: "x".repeat(50_000) },
    {
      messages: [
        { role: "user", content: "a" },
        { role: "user", content: schema },
      ],
      model: null,
      schema,
    },
  ]) {
    const got = await ask([call], () => assert.fail("it left"));
    assert.equal(got.error.title, "ProtocolError");
    assert.deepEqual(got.posts, []);
  }
});

test("a sub-call is also answered by an endpoint that streams all the same", async () => {
  const got = await ask([prompt("hi")], () => streamed([sse({ delta: "he" }, { delta: "llo" }, done)]));
  assert.equal(got.frames[0].text, "hello");
});

test("a late failure of a sub-call is the one that it would have been in time", async () => {
  const late = `\n${JSON.stringify({ error: REFUSED })}`;
  const got = failure(await ask([prompt("hi")], () => streamed([late], { type: "application/json" })));
  assert.deepEqual([got.status, got.upstream, got.type], [502, "openai", "upstream-key-refused"]);
});

test("a root call is one POST of its conversation", async () => {
  const messages = [
    { role: "system", content: "s" },
    { role: "user", content: "u" },
  ];
  const got = await ask([{ model: null, messages }], () => streamed([sse(done)]), { kind: "root" });
  assert.deepEqual(got.posts, [{ url: "/api/rlm", messages, stream: true }]);
  assert.equal(got.frames[0].text, "");
});

test("events may be cut at every byte, end their lines in either way, and hold comments", async () => {
  const text = sse({ delta: "naïve 🦊 " }, { delta: "text" }, done).replaceAll("\n", "\r\n");
  const got = await ask([prompt("hi")], () => streamed(everyByte(`: hello\r\n\r\nevent: x\r\n${text}`)));
  assert.equal(got.frames[0].text, "naïve 🦊 text");
});

test("a batch is one POST, and its frames come in the order in which the calls ended", async () => {
  const lines = [
    { index: 2, text: "c", model: "m", usage: USAGE },
    { index: 0, error: { title: "Refused", detail: "no", status: 400 } },
    { index: 1, text: "b🦊", model: "m" },
  ];
  const got = await ask(
    ["a", "b", "c"].map((text) => prompt(text)),
    () => streamed(everyByte(ndjson(...lines, { done: true })), { type: "application/x-ndjson" }),
  );
  assert.deepEqual(got.posts, [{ url: "/api/rlm", type: "batch", prompts: ["a", "b", "c"], stream: true }]);
  assert.deepEqual(
    got.frames.map(({ index, status, text }) => [index, status, text]),
    [
      [2, FRAME_OK, "c"],
      [0, FRAME_ERROR, ""],
      [1, FRAME_OK, "b🦊"],
    ],
  );
  assert.equal(got.frames[1].meta.detail, "Refused: no");
  assert.deepEqual(got.usage, { m: { calls: 2, input_tokens: 3, output_tokens: 2, cached_tokens: 1, cost: null } });
});

test("a thousand calls in shuffled completion get each its own reply", async () => {
  const order = Array.from({ length: 1_000 }, (_, at) => (at * 389 + 17) % 1_000);
  const lines = order.map((index) => ({ index, text: `reply to ${index}`, model: "m", usage: USAGE }));
  const got = await ask(
    order.map((_, at) => prompt(`p${at}`)),
    () => streamed([ndjson(...lines, { done: true })], { type: "application/x-ndjson" }),
  );
  assert.equal(got.posts.length, 1);
  assert.deepEqual(
    got.frames.map(({ index }) => index),
    order,
  );
  assert.ok(got.frames.every(({ index, text }) => text === `reply to ${index}`));
});

test("a batch above what one request may hold is sent in several", async () => {
  const calls = Array.from({ length: 2_001 }, (_, at) => prompt(String(at)));
  const got = await ask(calls, (at) => json({ results: [`of post ${at}`] }));
  assert.deepEqual(
    got.posts.map(({ prompts }) => prompts.length),
    [1_000, 1_000, 1],
  );
  const answered = got.frames.filter(({ status }) => status === FRAME_OK).map(({ index, text }) => [index, text]);
  assert.deepEqual(
    answered.sort(([a], [b]) => a - b),
    [
      [0, "of post 0"],
      [1_000, "of post 1"],
      [2_000, "of post 2"],
    ],
  );
  assert.equal(got.frames.length, 2_001);
});

test("calls to different models, or with a conversation, go alone", async () => {
  const got = await ask([prompt("a", "x"), prompt("b", "y")], () => streamed([sse({ delta: "ok" }, done)]));
  assert.deepEqual(
    got.posts.map(({ prompt: text, model }) => [text, model]),
    [
      ["a", "x"],
      ["b", "y"],
    ],
  );
});

test("an endpoint that does not stream is understood", async () => {
  assert.equal((await ask([prompt("a")], () => json({ text: "plain" }))).frames[0].text, "plain");
  const got = await ask([prompt("a"), prompt("b"), prompt("c")], () =>
    json({ results: ["A", null, "C"], errors: [{ index: 1, title: "Refused" }] }),
  );
  assert.deepEqual(
    got.frames.map(({ index, status, text }) => [index, status, text]),
    [
      [1, FRAME_ERROR, ""],
      [0, FRAME_OK, "A"],
      [2, FRAME_OK, "C"],
    ],
  );
});

test("a stream that is cut fails its call, and only what has not arrived of a batch", async () => {
  const single = failure(await ask([prompt("a")], () => streamed([sse({ delta: "hal" })])));
  assert.match(single.detail, /cut off/);
  assert.equal(single.retryable, true);
  const broken = failure(
    await ask([prompt("a")], () => streamed([sse({ delta: "hal" }), new TypeError("network error")])),
  );
  assert.equal(broken.retryable, true);
  const got = await ask([prompt("a"), prompt("b")], () =>
    streamed([`${ndjson({ index: 1, text: "B" })}{"ind`], { type: "application/x-ndjson" }),
  );
  assert.deepEqual(
    got.frames.map(({ index, status }) => [index, status]),
    [
      [1, FRAME_OK],
      [0, FRAME_ERROR],
    ],
  );
});

test("the part of a batch that is asked again says which of its equal prompts each one is", async () => {
  const replies = [
    [
      { index: 0, text: "A0" },
      { index: 2, text: "B" },
    ],
    [{ index: 0, text: "A1" }, { index: 1, text: "C" }, { done: true }],
  ];
  const got = await ask(
    ["a", "a", "b", "c"].map((text) => prompt(text)),
    (attempt) => streamed([ndjson(...replies[attempt])], { type: "application/x-ndjson" }),
    { key: "run/7", isKnown: true },
  );
  assert.deepEqual(
    got.posts.map(({ prompts, nth }) => [prompts, nth]),
    [
      [["a", "a", "b", "c"], undefined],
      [
        ["a", "c"],
        [1, 0],
      ],
    ],
  );
  assert.deepEqual(
    got.frames.map(({ index, text }) => [index, text]),
    [
      [0, "A0"],
      [2, "B"],
      [1, "A1"],
      [3, "C"],
    ],
  );
});

test("a single call that is the rest of a batch says so", async () => {
  const frames = [];
  const posts = [];
  const fetcher = async (_url, { body }) => {
    posts.push(JSON.parse(new TextDecoder().decode(body)));
    return streamed([ndjson({ index: 0, text: "A1" }, { done: true })], { type: "application/x-ndjson" });
  };
  const witness = { started: () => 1, finished: () => {}, noticed: () => {} };
  const answer = {
    signal: new AbortController().signal,
    write: (frame) => frames.push(frame),
    end: () => {},
    nth: [1],
  };
  const calls = [prompt("a")];
  await openBroker({ endpoint: "/api/rlm", witness, fetcher }).handle(
    JSON.stringify({ op: "complete", kind: "sub", calls }),
    answer,
  );
  assert.deepEqual(posts, [{ type: "batch", prompts: ["a"], nth: [1], stream: true }]);
  assert.equal(frames.length, 1);
});

test("of equal prompts in two posts of one request none is taken for another", async () => {
  const calls = Array.from({ length: 1_002 }, () => prompt("a"));
  const reply = ({ prompts }) => prompts.map((_, index) => ({ index, text: "A" }));
  const got = await ask(
    calls,
    (_attempt, init) =>
      streamed([ndjson(...reply(JSON.parse(new TextDecoder().decode(init.body))), { done: true })], {
        type: "application/x-ndjson",
      }),
    { key: "run/7" },
  );
  assert.deepEqual(
    got.posts.map(({ prompts, nth }) => [prompts.length, nth]),
    [
      [1_000, undefined],
      [2, [1_000, 1_001]],
    ],
  );
});

const GARBAGE = {
  "no JSON": () => streamed(["data: <html>\n\n"]),
  "an HTML page": () => new Response("<html>hello</html>", { headers: { "content-type": "text/html" } }),
  "nothing at all": () => new Response(null),
  "JSON without text": () => json({ reply: 1 }),
  "a list": () => json([1, 2]),
  "broken JSON": () => new Response("{", { headers: { "content-type": "application/json" } }),
  "bytes that are no UTF-8": () => streamed([Uint8Array.of(0xff, 0xfe, 10, 10)]),
  "events of unknown form": () => streamed([sse(1, null, "x", [], {})]),
};
for (const [name, respond] of Object.entries(GARBAGE)) {
  test(`${name} from the endpoint is a failed call`, async () => {
    assert.ok(failure(await ask([prompt("a")], respond)).detail.length > 10);
    const batch = await ask([prompt("a"), prompt("b")], respond);
    assert.deepEqual(batch.frames.map(({ index, status }) => [index, status]).sort(), [
      [0, FRAME_ERROR],
      [1, FRAME_ERROR],
    ]);
  });
}

test("a line for a prompt that was not asked fails the rest of the batch", async () => {
  const got = await ask([prompt("a"), prompt("b")], () =>
    streamed([ndjson({ index: 7, text: "?" })], { type: "application/x-ndjson" }),
  );
  assert.ok(got.frames.every(({ status }) => status === FRAME_ERROR));
});

const REFUSED = {
  type: "/problems/upstream-key-refused",
  title: "The provider refused the key",
  status: 502,
  detail: "check it",
  retryable: false,
  upstream: "openai",
};

test("a problem that will not pass is told with its facts, and not tried again", async () => {
  const got = await ask([prompt("a")], () =>
    json(REFUSED, { status: 502, headers: { "content-type": "application/problem+json" } }),
  );
  assert.deepEqual(failure(got), {
    title: "ProviderError",
    detail: "The provider refused the key: check it",
    type: "upstream-key-refused",
    retryable: false,
    status: 502,
    upstream: "openai",
  });
  assert.deepEqual([got.posts.length, got.notices], [1, []]);
  const inStream = failure(await ask([prompt("a")], () => streamed([sse({ delta: "x" }, { error: REFUSED })])));
  assert.deepEqual([inStream.status, inStream.upstream], [502, "openai"]);
});

test("closing the broker aborts what is under way and answers it", async () => {
  const stop = new AbortController();
  const got = await ask(
    [prompt("a")],
    (_attempt, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        stop.abort();
      }),
    { signal: stop.signal },
  );
  assert.match(failure(got).detail, /stopped/);
});

test("a request that is none ends in an error", async () => {
  for (const body of [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"op":"complete","kind":"root","calls":[{"model":null,"messages":[{"role":"tool","content":"x"}]}]}',
    '{"op":"fetch","url":"https://evil.example"}',
  ]) {
    const got = await ask([], () => assert.fail("nothing may leave"), { body });
    assert.ok(got.error.detail.length > 5, body);
    assert.equal(got.posts.length, 0);
  }
});

test("no calls are answered by no frames", async () => {
  assert.deepEqual((await ask([], () => assert.fail("nothing to ask"))).frames, []);
});

test("a request above the size limit does not leave", async () => {
  const got = await ask([prompt("x".repeat(65 << 20))], () => assert.fail("too large"));
  assert.equal(failure(got).status, 413);
});

test("usage that is no number counts the call alone", async () => {
  const got = await ask([prompt("a")], () =>
    json({ text: "t", model: 7, usage: { calls: "many", input_tokens: -1, output_tokens: null } }),
  );
  assert.deepEqual(got.usage, { "": { calls: 1, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null } });
});

test("a text with a lone surrogate is framed as UTF-8", () => {
  const frame = encodeFrame(0, { completion: { text: "a\ud800b", model: "m", usage: USAGE } });
  assert.equal(framesIn(Buffer.from(frame))[0].text, "a\ufffdb");
});

test("a known reason why the reply ended is passed on, and any other is null", async () => {
  for (const [sent, passed] of [
    ["length", "length"],
    ["content_filter", "content_filter"],
    ["eos", null],
    [7, null],
  ]) {
    const got = await ask([prompt("hi")], () => streamed([sse({ delta: "x" }, { ...done, finish_reason: sent })]));
    assert.equal(got.frames[0].meta.finish_reason, passed);
  }
});

// --------------------------------------------------------------------------------------------------- the user's stop

const UNKNOWN = { calls: 1, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };
function hanging(signal) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

test("a stop cancels the call at the server by its key, and what it cost is not known", async () => {
  const stop = new AbortController();
  const answer = (_attempt, { signal }) => {
    const hung = hanging(signal);
    stop.abort();
    return hung;
  };
  const got = await ask([prompt("a", "m")], answer, { signal: stop.signal, key: "run/7" });
  assert.deepEqual(got.cancelled, [["/api/rlm", "run/7"]]);
  assert.equal(failure(got).type, "stopped");
  assert.deepEqual([got.usage, got.finished[0][1].usage], [{ m: UNKNOWN }, UNKNOWN]);
});

test("a stop cancels a call whose connection was lost, which the server may be at work on", async () => {
  const stop = new AbortController();
  const lost = () => streamed([sse({ delta: "hal" }), new TypeError("network error")]);
  const got = await ask([prompt("a", "m")], lost, { signal: stop.signal, key: "run/7", waited: () => stop.abort() });
  assert.deepEqual([got.cancelled.length, got.usage], [1, { m: UNKNOWN }]);
});

test("a stop while a server is away cancels too, and counts no call that it may not have had", async () => {
  const stop = new AbortController();
  const gone = () => {
    throw new TypeError("Failed to fetch");
  };
  const options = { signal: stop.signal, key: "run/7", isKnown: true, waited: () => stop.abort() };
  const got = await ask([prompt("a", "m")], gone, options);
  assert.deepEqual([got.cancelled.length, got.usage], [1, {}]);
});

test("a stop between two attempts has nothing to cancel: the server has answered", async () => {
  const stop = new AbortController();
  const busy = () => json({ ...REFUSED, retryable: true }, { status: 502 });
  const got = await ask([prompt("a")], busy, { signal: stop.signal, key: "run/7", waited: () => stop.abort() });
  assert.deepEqual([got.cancelled, got.usage, got.posts.length], [[], {}, 1]);
});

test("of a batch that is stopped the calls that came are counted as they are, and the rest is not known", async () => {
  const stop = new AbortController();
  const answer = (_attempt, { signal }) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(ndjson({ index: 1, text: "B", model: "m", usage: USAGE })));
        setTimeout(() => stop.abort(), 20);
        signal.addEventListener("abort", () => controller.error(signal.reason));
      },
    });
    return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
  };
  const calls = [prompt("a", "m"), prompt("b", "m"), prompt("c", "m")];
  const got = await ask(calls, answer, { signal: stop.signal, key: "run/7" });
  assert.equal(got.cancelled.length, 1);
  assert.deepEqual(got.usage, { m: { calls: 3, input_tokens: 3, output_tokens: 2, cached_tokens: 1, cost: null } });
});

test("a request that was answered is not cancelled", async () => {
  const got = await ask([prompt("a")], () => streamed([sse({ delta: "ok" }, done)]), { key: "run/7" });
  assert.deepEqual(got.cancelled, []);
});

test("a reply above the size limit is named as that", async () => {
  const problem = { type: "/problems/upstream-reply-too-large", title: "Too large", status: 502, retryable: false };
  assert.equal(
    failure(await ask([prompt("a")], () => json(problem, { status: 502 }))).type,
    "upstream-reply-too-large",
  );
});

test("finish reasons of a batch that came whole are those of its items", async () => {
  const whole = { results: ["A", "B"], finish_reasons: ["stop", "length"] };
  const got = await ask([prompt("a"), prompt("b")], () => json(whole));
  assert.deepEqual(
    got.frames.map(({ meta }) => meta.finish_reason),
    ["stop", "length"],
  );
});

test("a reply that the server had kept is told apart, unless an attempt of this request paid for it", async () => {
  const kept = { ...done, from_store: true };
  const first = await ask([prompt("hi")], () => streamed([sse({ delta: "a" }, kept)]));
  assert.deepEqual(first.stored, { m: USAGE });
  assert.deepEqual(first.finished[0][1].fromStore, true);
  assert.deepEqual(first.frames[0].meta, { finish_reason: null, model: "m", usage: USAGE });
  const cut = [[sse({ delta: "a" })], [sse({ delta: "a" }, kept)]];
  const again = await ask([prompt("hi")], (attempt) => streamed(cut[attempt]));
  assert.deepEqual([again.stored, again.usage], [{}, { m: USAGE }]);
});

test("of a batch, streamed or whole, each kept reply is told apart", async () => {
  const prompts = ["a", "b"].map((text) => prompt(text));
  const items = prompts.map((_, index) => ({ index, text: "x", model: "m", usage: USAGE, from_store: index === 1 }));
  const lines = await ask(prompts, () =>
    streamed([ndjson(...items, { done: true })], { type: "application/x-ndjson" }),
  );
  assert.deepEqual(lines.stored, { m: USAGE });
  const whole = await ask(prompts, () => json({ results: ["x", "y"], from_store: [0] }));
  assert.deepEqual(
    whole.finished.map(([call, { fromStore }]) => [call, fromStore === true]),
    [
      [100, true],
      [101, false],
    ],
  );
});

test("a call leaves once its log is on disk, and at once where its kind need not wait", async () => {
  const kinds = [];
  let write = () => {};
  const written = (kind) => {
    kinds.push(kind);
    return kind === "root" ? new Promise((resolve) => (write = resolve)) : null;
  };
  const left = [];
  const answer = (number) => {
    left.push(number);
    return streamed([sse(done)]);
  };
  await ask([prompt("hi")], answer, { written });
  assert.deepEqual([kinds, left], [["sub"], [0]]);
  const root = ask([prompt("hi")], answer, { written, kind: "root" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([kinds, left], [["sub", "root"], [0]]);
  write();
  assert.equal((await root).frames[0].status, FRAME_OK);
  assert.deepEqual(left, [0, 0]);
});

test("calls whose log cannot be written end with the reason, and none leaves", async () => {
  const written = () => Promise.reject(new Error("the disk is gone"));
  const got = await ask([prompt("hi")], () => assert.fail("it left"), { written });
  assert.match(failure(got).detail, /the disk is gone/);
});
