// A call that failed and may pass is retried: by itself, after a wait, within reason.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_ERROR, FRAME_OK } from "../../../worker/wire/protocol.js";
import { openRetries } from "../../../worker/calls/retries.js";
import { ask, done, failure, json, ndjson, prompt, sse, streamed } from "../scripted_endpoint.js";

function problem(slug, fields) {
  return { type: `/problems/${slug}`, title: slug, status: 429, retryable: true, ...fields };
}
const BUSY = problem("upstream-rate-limited");
function refused(fields, headers) {
  return json({ ...BUSY, ...fields }, { status: 429, headers });
}
function gone() {
  throw new TypeError("Failed to fetch");
}

const PASSING = {
  "a problem in a response": () => refused({}),
  "a problem in a stream": () => streamed([sse({ delta: "x" }, { error: BUSY })]),
  "a status without a problem": () => new Response("<h1>Bad gateway</h1>", { status: 502 }),
  "a stream that is cut": () => streamed([sse({ delta: "hal" })]),
  "a connection that breaks": () => streamed([sse({ delta: "hal" }), new TypeError("network error")]),
  garbage: () => streamed(["data: <html>\n\n"]),
  "an empty reply": () => new Response(null),
};
for (const [name, fail] of Object.entries(PASSING)) {
  test(`${name} is asked again, and the reply is the whole one`, async () => {
    const got = await ask([prompt("a")], (at) => (at < 2 ? fail() : streamed([sse({ delta: "ok" }, done)])));
    assert.deepEqual([got.frames[0].status, got.frames[0].text, got.posts.length], [FRAME_OK, "ok", 3]);
    assert.deepEqual(got.pauses, [1_000, 2_000]);
    assert.equal(got.finished.length, 1);
  });

  test(`${name}, again and again, is a failed call in the end`, async () => {
    const got = await ask([prompt("a")], fail);
    assert.deepEqual([failure(got).retryable, got.posts.length], [true, 5]);
    assert.deepEqual(got.pauses, [1_000, 2_000, 4_000, 8_000]);
    assert.match(got.notices[0], /^A model call failed, again in 2\.0 s \(try 3 of 5\)/);
  });
}

const REFUSED = {
  "a problem that says so": () => json(problem("upstream-key-refused", { retryable: false }), { status: 502 }),
  "a status that means it": () => new Response("no", { status: 404 }),
  "a reply without text": () => json({ reply: 1 }),
};
for (const [name, fail] of Object.entries(REFUSED)) {
  test(`${name} is not asked again`, async () => {
    const got = await ask([prompt("a")], fail);
    assert.deepEqual([failure(got).retryable, got.posts.length, got.notices], [false, 1, []]);
  });
}

test("what the server asks to wait is waited, from the header and from the problem", async () => {
  const reply = (at) => [refused({}, { "retry-after": "7" }), refused({ retry_after: 9 }), json({ text: "ok" })][at];
  assert.deepEqual((await ask([prompt("a")], reply)).pauses, [7_000, 9_000]);
  const tooLong = await ask([prompt("a")], () => refused({ retry_after: 3_600 }));
  assert.deepEqual([tooLong.posts.length, failure(tooLong).type], [1, "upstream-rate-limited"]);
});

test("of a batch only what failed is asked again, after the longest wait that was asked for", async () => {
  const answer = (at, { body }) => {
    const { prompts } = JSON.parse(new TextDecoder().decode(body));
    const lines = prompts.map((text, index) => ({ index, text: text.toUpperCase(), model: "m" }));
    if (at === 0) lines.splice(1, 3, { index: 1, error: { ...BUSY, retry_after: 5 } }, { index: 2, error: BUSY });
    if (at === 1) lines.pop();
    const end = at === 1 ? [] : [{ done: true }];
    return streamed([ndjson(...lines, ...end)], { type: "application/x-ndjson" });
  };
  const got = await ask(
    ["a", "b", "c", "d"].map((text) => prompt(text)),
    answer,
  );
  assert.deepEqual(
    got.posts.map(({ prompts }) => prompts),
    [["a", "b", "c", "d"], ["b", "c", "d"], ["d"]],
  );
  assert.equal(got.pauses[0], 5_000);
  assert.deepEqual(
    got.frames.map(({ index, text }) => [index, text]),
    [
      [0, "A"],
      [1, "B"],
      [2, "C"],
      [3, "D"],
    ],
  );
  assert.equal(got.usage.m.calls, 4);
});

test("an item that will not pass fails alone, and the rest is asked again", async () => {
  const no = problem("empty-prompt", { status: 400, retryable: false });
  const got = await ask([prompt("a"), prompt("b")], (at) =>
    at === 0
      ? json({
          results: [null, null],
          errors: [
            { index: 0, ...no },
            { index: 1, ...BUSY },
          ],
        })
      : json({ results: ["B"] }),
  );
  assert.deepEqual(
    got.frames.map(({ index, status }) => [index, status]),
    [
      [0, FRAME_ERROR],
      [1, FRAME_OK],
    ],
  );
  assert.equal(got.posts.length, 2);
});

test("a server that was never reached gets one more attempt, and is reported within 3 s", async () => {
  const got = await ask([prompt("a")], gone);
  assert.deepEqual([failure(got).type, failure(got).retryable, got.posts.length], ["server-unreachable", true, 2]);
  assert.deepEqual(got.pauses, [1_000]);
  const back = await ask([prompt("a")], (at) => (at < 1 ? gone() : json({ text: "ok" })));
  assert.equal(back.frames[0].text, "ok");
});

test("a server that was there and is gone is waited for, and both is told once", async () => {
  const got = await ask([prompt("a")], (at) => (at < 20 ? gone() : json({ text: "back" })), { isKnown: true });
  assert.deepEqual([got.frames[0].text, got.posts.length], ["back", 21]);
  assert.equal(Math.max(...got.pauses), 5_000);
  assert.equal(got.notices.length, 2);
  assert.match(got.notices[0], /cannot be reached .*Is it running\? The run waits/);
  assert.match(got.notices[1], /answers again/);
});

test("a browser that is offline says so", async (t) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator") ?? { value: undefined, configurable: true };
  Object.defineProperty(globalThis, "navigator", { value: { onLine: false }, configurable: true });
  t.after(() => Object.defineProperty(globalThis, "navigator", before));
  const got = await ask([prompt("a")], (at) => (at < 1 ? gone() : json({ text: "ok" })), { isKnown: true });
  assert.match(got.notices[0], /the browser is offline/);
  assert.equal(failure(await ask([prompt("a")], gone)).type, "offline");
});

test("a run that is stopped waits no longer", async () => {
  const stop = new AbortController();
  const got = await ask([prompt("a")], gone, { isKnown: true, signal: stop.signal, waited: () => stop.abort() });
  assert.match(failure(got).detail, /stopped/);
  assert.equal(got.posts.length, 1);
});

test("a server that says nothing at all is given up and asked again", async () => {
  const silent = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const got = await ask([prompt("a")], (at, { signal }) => (at === 0 ? silent(signal) : json({ text: "ok" })), {
    idleMs: 5,
  });
  assert.deepEqual([got.frames[0].text, got.posts.length], ["ok", 2]);
});

test("no try begins ten minutes after the first", async () => {
  let now = 0;
  const pause = async (milliseconds) => void (now += milliseconds);
  const retries = openRetries({ isKnown: true, onNotice: () => {}, pause, now: () => now, random: () => 0.5 });
  const fault = { message: "slow", type: "upstream-timeout", retryable: true, retryAfter: null };
  const request = { calls: 1, signal: new AbortController().signal };
  const attempts = retries.attempts();
  assert.equal(await attempts.next(fault, request), true);
  now += 600_000;
  assert.equal(await attempts.next(fault, request), false);
});

test("waits differ from one client to the next", async () => {
  const waits = [];
  for (const random of [0, 1]) {
    const pause = async (milliseconds) => void waits.push(milliseconds);
    const retries = openRetries({ isKnown: true, onNotice: () => {}, pause, random: () => random });
    await retries
      .attempts()
      .next({ message: "", type: "", retryable: true }, { calls: 1, signal: new AbortController().signal });
  }
  assert.deepEqual(waits, [750, 1_250]);
});

test("requests that the server has made already count: a call has one budget", async () => {
  const spent = await ask([prompt("a")], () => refused({ attempts: 5 }));
  assert.equal(spent.posts.length, 1);
  const some = await ask([prompt("a")], () => refused({ attempts: 2 }));
  assert.deepEqual([some.posts.length, some.pauses], [3, [1_000, 2_000]]);
});

test("a wait may be a date", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-11-28T10:00:00Z") });
  const date = { "retry-after": "Sat, 28 Nov 2026 10:00:30 GMT" };
  const got = await ask([prompt("a")], (at) => (at === 0 ? refused({}, date) : json({ text: "ok" })));
  assert.deepEqual(got.pauses, [30_000]);
});
