// Page provider: a function of the page answers model calls; each of its faults is an error in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_REPLY_CHARS, openPageProvider } from "../../../worker/calls/page_provider.js";
import { FRAME_OK } from "../../../worker/wire/protocol.js";
import { ask, failure, prompt } from "../scripted_endpoint.js";

const CONVERSATION = {
  model: "m",
  messages: [
    { role: "system", content: "S" },
    { role: "user", content: "Q" },
  ],
};

/** Ask `calls` of the provider `fn` with these facts; the endpoint is never fetched. */
function asked(calls, fn, { facts = {}, idleMs, ...options } = {}) {
  const provider = openPageProvider(Object.assign(fn, facts), { idleMs });
  return ask(calls, () => assert.fail("the endpoint was called"), { provider, idleMs: undefined, ...options });
}

async function faultOf(fn, options) {
  return failure(await asked([prompt("Q")], fn, options));
}

test("the function gets the call, and its reply with its usage is the model's", async () => {
  const seen = [];
  const usage = { input_tokens: 7, output_tokens: 2, cost: 0.25 };
  const { frames, usage: used } = await asked([CONVERSATION], async ({ signal, onDelta, ...call }) => {
    seen.push([call, signal.aborted, typeof onDelta]);
    return { text: "A", usage, finishReason: "length" };
  });
  const call = { messages: CONVERSATION.messages, model: "m", images: [], schema: null, options: {} };
  assert.deepEqual(seen, [[call, false, "function"]]);
  assert.equal(frames[0].status, FRAME_OK);
  assert.equal(frames[0].text, "A");
  assert.equal(frames[0].meta.finish_reason, "length");
  assert.deepEqual(used, { m: { calls: 1, input_tokens: 7, output_tokens: 2, cached_tokens: 0, cost: 0.25 } });
});

test("a schema is an object, and the pieces of a root reply are shown as they come", async () => {
  const schema = { type: "object" };
  const sub = { ...prompt(`Q ${JSON.stringify(schema)}`), schema: JSON.stringify(schema) };
  await asked([sub], async (call) => {
    assert.deepEqual(call.schema, schema);
    return { text: "{}" };
  });
  const { written, frames } = await asked(
    [CONVERSATION],
    async ({ onDelta }) => {
      onDelta("");
      onDelta("one ");
      onDelta("two");
      return { text: "one two" };
    },
    { kind: "root" },
  );
  assert.equal(written.map(([, { text }]) => text).join(""), "one two");
  assert.equal(frames[0].text, "one two");
});

test("a batch is one call each, at most `concurrency` at a time, and failures stay with their own call", async () => {
  let open = 0;
  let most = 0;
  const calls = Array.from({ length: 12 }, (_, index) => prompt(`${index}`));
  const { frames } = await asked(
    calls,
    async ({ messages: [{ content }] }) => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setTimeout(resolve, 2));
      open -= 1;
      if (content === "5") throw new Error("no five");
      return { text: `reply ${content}` };
    },
    { facts: { concurrency: 3 } },
  );
  assert.equal(most, 3);
  const byIndex = frames.toSorted((one, other) => one.index - other.index);
  assert.deepEqual(
    byIndex.map(({ index, status, text }) => (status === FRAME_OK ? text : index)),
    calls.map((_, index) => (index === 5 ? 5 : `reply ${index}`)),
  );
  assert.match(byIndex[5].meta.detail, /^the provider failed: no five/);
});

const NONSENSE = [
  ["nothing", undefined, /returned undefined, not an object/],
  ["null", null, /returned null/],
  ["text alone", "A", /returned string/],
  ["no text", {}, /the text of its reply is undefined/],
  ["a number as text", { text: 1 }, /the text of its reply is number/],
  ["a list as usage", { text: "A", usage: 3 }, /the usage of its reply is number/],
  [
    "an unknown count",
    { text: "A", usage: { inputTokens: 3 } },
    /has a field inputTokens; known are calls, input_tokens/,
  ],
  ["a count below 0", { text: "A", usage: { input_tokens: -1 } }, /the input_tokens of its reply is no whole number/],
  ["a cost that is none", { text: "A", usage: { cost: Number.NaN } }, /the cost of its reply is no number of dollars/],
  ["an unknown reason", { text: "A", finishReason: "tired" }, /the finishReason of its reply is none of stop, length/],
  ["a model that is no text", { text: "A", model: 3 }, /the model of its reply is number/],
  [
    "a reply that is too long",
    { text: "x".repeat(MAX_REPLY_CHARS + 1) },
    /has 8388609 characters; 8388608 are allowed/,
  ],
];

for (const [name, reply, words] of NONSENSE)
  test(`${name} is an error in words, and no reason to ask again`, async () => {
    const { detail, type, retryable } = await faultOf(async () => reply);
    assert.match(detail, words);
    assert.deepEqual([type, retryable], ["provider-malformed", false]);
  });

test("a getter that throws, and an error that cannot be read, are errors too", async () => {
  const trap = {
    get text() {
      throw new Error("trapped");
    },
  };
  assert.match((await faultOf(async () => trap)).detail, /^the provider failed: trapped/);
  const unreadable = new Proxy(
    {},
    {
      get() {
        throw new Error("no");
      },
    },
  );
  const { detail } = await faultOf(async () => {
    throw unreadable;
  });
  assert.equal(detail, "the provider failed, and its error cannot be shown");
  const synchronous = () => {
    throw "plain text";
  };
  assert.match((await faultOf(synchronous)).detail, /^the provider failed: plain text/);
});

test("an error that says retryable is tried again, with its wait, at most five times", async () => {
  let calls = 0;
  const busy = () => Object.assign(new Error("busy"), { retryable: true, status: 429, retryAfter: 7 });
  const twice = await asked([prompt("Q")], async () => {
    calls += 1;
    if (calls < 3) throw busy();
    return { text: "A" };
  });
  assert.equal(twice.frames[0].text, "A");
  assert.deepEqual(twice.pauses, [7_000, 7_000]);
  calls = 0;
  const never = await asked([prompt("Q")], async () => {
    calls += 1;
    throw busy();
  });
  assert.deepEqual([failure(never).status, failure(never).retryable, calls], [429, true, 5]);
});

test("a provider that never settles is given up, its signal is aborted, and late words are refused", async () => {
  let late;
  let seen;
  const { frames, pauses } = await asked(
    [prompt("Q")],
    ({ signal, onDelta }) => {
      [seen, late] = [signal, onDelta];
      return new Promise(() => {});
    },
    { idleMs: 5, waits: { pause: async () => {}, isKnown: false, now: () => performance.now() * 1e6 } },
  );
  const fault = failure({ frames });
  assert.match(fault.detail, /^the provider said nothing for 0.005 s/);
  assert.equal(fault.type, "provider-silent");
  assert.deepEqual([pauses, seen.aborted], [[], true]);
  assert.throws(() => late("more"), /onDelta was called after its call had ended: this piece is dropped/);
});

test("pieces that are no text, or too long together, end the call although the provider goes on", async () => {
  const wrong = await faultOf(({ onDelta }) => {
    try {
      onDelta(3);
    } catch {
      // the provider does not care
    }
    return new Promise(() => {});
  });
  assert.match(wrong.detail, /onDelta was called with number, not with text/);
  const part = "x".repeat(MAX_REPLY_CHARS / 2 + 1);
  const long = await faultOf(async ({ onDelta }) => {
    onDelta(part);
    onDelta(part);
    return { text: "A" };
  });
  assert.match(long.detail, /has 8388610 characters; 8388608 are allowed/);
});

test("a stop settles the call at once, also one that ignores its signal and one that still waits for a slot", async () => {
  const stop = new AbortController();
  let begun = 0;
  const stopped = asked(
    [prompt("1"), prompt("2")],
    () => {
      begun += 1;
      queueMicrotask(() => stop.abort());
      return new Promise(() => {});
    },
    { facts: { concurrency: 1 }, signal: stop.signal },
  );
  const { frames, usage } = await stopped;
  assert.deepEqual(
    frames.map(({ meta }) => meta.type),
    ["stopped", "stopped"],
  );
  assert.equal(begun, 1);
  assert.equal(usage.default.calls, 1); // it left, and may have been paid for
});

test("a slot is free again after a stop", async () => {
  const stop = new AbortController();
  const fn = Object.assign(
    ({ messages: [{ content }] }) => (content === "hang" ? new Promise(() => {}) : { text: "A" }),
    {
      concurrency: 1,
    },
  );
  const provider = openPageProvider(fn);
  const none = () => assert.fail("the endpoint was called");
  const hanging = ask([prompt("hang")], none, { provider, signal: stop.signal, idleMs: undefined });
  setTimeout(() => stop.abort(), 1);
  await hanging;
  const { frames } = await ask([prompt("Q")], none, { provider, idleMs: undefined });
  assert.equal(frames[0].text, "A");
});

test("facts of a provider are checked by name", () => {
  const wrong = { label: "a\nb", concurrency: 0, takesImages: "yes", windowTokens: 3 };
  for (const [name, value] of Object.entries(wrong)) {
    const fn = Object.assign(async () => ({ text: "" }), { [name]: value });
    assert.throws(() => openPageProvider(fn), {
      name: "ConfigError",
      message: new RegExp(`^provider.${name} must be`),
    });
  }
});
