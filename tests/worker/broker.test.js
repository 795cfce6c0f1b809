// The broker against a scripted fetch: whatever the endpoint does, each call ends once, in a frame of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answeringEnd } from "../../worker/channel.js";
import { encodeFrame, openBroker } from "../../worker/broker.js";
import { CHUNK, FRAME_ERROR, FRAME_HEADER_BYTES, FRAME_OK, LAST } from "../../worker/protocol.js";

const USAGE = { calls: 1, input_tokens: 3, output_tokens: 2, cached_tokens: 1, cost: 0.5 };
const utf8 = (text) => new TextEncoder().encode(text);
const sse = (...events) => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
const ndjson = (...lines) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const done = { done: true, model: "m", usage: USAGE };

/** A response whose body comes in `parts`; an Error among them breaks the connection there. */
const streamed = (parts, { type = "text/event-stream", status = 200 } = {}) => {
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
};
const everyByte = (text) => Array.from(utf8(text), (byte) => Uint8Array.of(byte));
const json = (value, options) =>
  new Response(JSON.stringify(value), { headers: { "content-type": "application/json" }, ...options });

/** Ask `calls` of a broker whose endpoint is `respond`; what came back, and what it took. */
const ask = async (calls, respond, { kind = "sub", body, signal } = {}) => {
  const posts = [];
  const finished = [];
  const pauses = [];
  const fetcher = async (url, init) => {
    posts.push({ url, ...JSON.parse(new TextDecoder().decode(init.body)) });
    init.signal.throwIfAborted();
    return respond(posts.length - 1, init);
  };
  const witness = { started: () => 100, finished: (call, outcome) => finished.push([call, outcome]) };
  const broker = openBroker({ endpoint: "/api/rlm", witness, fetcher, pause: async (ms) => void pauses.push(ms) });
  const reply = collector();
  const host = answeringEnd({ line: reply.line, handler: broker.handle });
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
  return { ...got, posts, finished, pauses, usage: broker.usage() };
};

/** A line that takes everything at once, and reads the frames when the reply ends. */
const collector = () => {
  const chunks = [];
  let host;
  let ended;
  const line = {
    interrupt: () => {},
    put(sequence, state, bytes) {
      if (state === CHUNK || state === LAST) chunks.push(bytes.slice());
      if (state === CHUNK) queueMicrotask(() => host.ack({ type: "ack", epoch: 1, sequence }));
      else if (state === LAST) ended({ frames: framesIn(Buffer.concat(chunks)) });
      else ended({ error: JSON.parse(new TextDecoder().decode(bytes)) });
      return true;
    },
  };
  return { line, attach: (end) => void (host = end), ended: new Promise((resolve) => void (ended = resolve)) };
};

const framesIn = (bytes) => {
  const frames = [];
  for (let at = 0; at < bytes.length;) {
    const [index, status, metaBytes, textBytes] = [0, 4, 8, 12].map((offset) => bytes.readUInt32LE(at + offset));
    const meta = JSON.parse(bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + metaBytes).toString());
    at += FRAME_HEADER_BYTES + metaBytes + textBytes;
    frames.push({ index, status, meta, text: bytes.subarray(at - textBytes, at).toString() });
  }
  return frames;
};

const prompt = (content, model = null) => ({ model, messages: [{ role: "user", content }] });
const failure = ({ frames: [{ status, meta }] }) => {
  assert.equal(status, FRAME_ERROR);
  return meta;
};

test("a sub-call is one POST of its prompt, answered by server-sent events", async () => {
  const got = await ask([prompt("hi", "openai:x")], () => streamed([sse({ delta: "he" }, { delta: "llo" }, done)]));
  assert.deepEqual(got.posts, [{ url: "/api/rlm", prompt: "hi", model: "openai:x", stream: true }]);
  assert.deepEqual(got.frames, [{ index: 0, status: FRAME_OK, meta: { model: "m", usage: USAGE }, text: "hello" }]);
  assert.deepEqual(got.usage, { m: USAGE });
  assert.deepEqual(got.finished, [[100, { completion: { text: "hello", model: "m", usage: USAGE } }]]);
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
  const got = await ask(calls, (at) =>
    streamed([ndjson({ index: 0, text: `of post ${at}` })], { type: "application/x-ndjson" }),
  );
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

test("a problem of the server is told with its facts, and not tried again", async () => {
  const problem = {
    type: "/problems/rate",
    title: "Too many",
    status: 429,
    detail: "wait",
    retryable: true,
    upstream: "openai",
  };
  const got = await ask([prompt("a")], () =>
    json(problem, { status: 429, headers: { "content-type": "application/problem+json" } }),
  );
  assert.deepEqual(failure(got), {
    title: "ProviderError",
    detail: "Too many: wait",
    retryable: true,
    status: 429,
    upstream: "openai",
  });
  assert.equal(got.posts.length, 1);
  const streamedProblem = failure(await ask([prompt("a")], () => streamed([sse({ delta: "x" }, { error: problem })])));
  assert.deepEqual([streamedProblem.status, streamedProblem.upstream], [429, "openai"]);
  const bare = failure(await ask([prompt("a")], () => new Response("<h1>Bad gateway</h1>", { status: 502 })));
  assert.deepEqual([bare.status, bare.detail], [502, "the server answered 502"]);
});

test("a network failure is tried again twice, as long as nothing has arrived", async () => {
  const recovered = await ask([prompt("a")], (attempt) => {
    if (attempt < 2) throw new TypeError("Failed to fetch");
    return json({ text: "at last" });
  });
  assert.deepEqual([recovered.frames[0].text, recovered.pauses], ["at last", [200, 800]]);
  const gone = await ask([prompt("a")], () => {
    throw new TypeError("Failed to fetch");
  });
  assert.equal(gone.posts.length, 3);
  assert.match(failure(gone).detail, /cannot be reached.*Is it running/);
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
