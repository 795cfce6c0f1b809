// wllama: an engine in the page as a provider: loaded once, streamed, stopped, and its failures in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wllama } from "../../../worker/providers/wllama.js";

const MODEL = new Blob(["GGUF"]);
const CALL = {
  messages: [
    { role: "user", content: "one" },
    { role: "user", content: "two" },
  ],
  model: null,
  images: [],
  schema: null,
  options: {},
  onDelta: () => {},
};

function chunk(content, finish_reason = null) {
  return { choices: [{ delta: { content }, finish_reason }] };
}

/** An engine that replies with `chunks`; its loads and calls. */
function engine(chunks, { load = async () => {} } = {}) {
  const seen = { loads: [], calls: [] };
  const loaded = (...given) => {
    seen.loads.push(given);
    return load(seen.loads.length);
  };
  return {
    seen,
    loadModel: loaded,
    loadModelFromUrl: loaded,
    async createChatCompletion(options) {
      seen.calls.push(options);
      return (async function* () {
        for (const next of chunks) {
          options.abortSignal.throwIfAborted();
          if (next instanceof Error) throw next;
          yield next;
        }
      })();
    },
  };
}

function ask(provider, more = {}) {
  return provider({ ...CALL, signal: new AbortController().signal, ...more });
}

test("a reply is streamed, its tokens are counted, and the model is loaded once", async () => {
  const own = engine([chunk("Hel"), chunk("lo"), chunk("", "stop")]);
  const provider = wllama({ engine: own, model: MODEL, windowTokens: 2_048, load: { n_threads: 2 } });
  const pieces = [];
  const reply = await ask(provider, { onDelta: (text) => pieces.push(text) });
  await ask(provider, { options: { temperature: 0, maxOutputTokens: 9, seed: 7 } });
  assert.deepEqual(reply, {
    text: "Hello",
    usage: { input_tokens: 0, output_tokens: 2, cost: 0 },
    finishReason: "stop",
  });
  assert.deepEqual(pieces, ["Hel", "lo"]);
  assert.deepEqual(own.seen.loads, [[[MODEL], { n_ctx: 2_048, n_threads: 2 }]]);
  assert.deepEqual(own.seen.calls[0].messages, [{ role: "user", content: "one\n\ntwo" }]);
  const { temperature, max_tokens, seed, stream } = own.seen.calls[1];
  assert.deepEqual([temperature, max_tokens, seed, stream], [0, 9, 7, true]);
  assert.deepEqual([provider.label, provider.concurrency, provider.windowTokens], ["a model in this tab", 1, 2_048]);
});

test("counts of the engine go before our own, and a URL is loaded by the engine", async () => {
  const usage = { prompt_tokens: 11, completion_tokens: 3 };
  const own = engine([chunk("a"), { choices: [], usage }]);
  const { usage: counted } = await ask(wllama({ engine: own, model: "/models/small.gguf" }));
  assert.deepEqual(counted, { input_tokens: 11, output_tokens: 3, cost: 0 });
  assert.deepEqual(own.seen.loads, [["/models/small.gguf", { n_ctx: 8_192 }]]);
});

test("a model that did not load is tried once more by the next call, and the failure says what to check", async () => {
  const load = async (time) => {
    if (time === 1) throw new RangeError("Out of memory");
  };
  const provider = wllama({ engine: engine([chunk("a", "stop")], { load }), model: MODEL });
  await assert.rejects(ask(provider), {
    name: "ProviderError",
    type: "upstream-failed",
    message: /RangeError: Out of memory.*Is it a GGUF file/,
  });
  assert.equal((await ask(provider)).text, "a");
});

test("a prompt beyond the window is named as one", async () => {
  const provider = wllama({ engine: engine([new Error("the prompt exceeds the context size")]), model: MODEL });
  await assert.rejects(ask(provider), { type: "upstream-prompt-too-long", message: /raise windowTokens/ });
});

test("a stop ends the call as a stop", async () => {
  const stop = new AbortController();
  const provider = wllama({ engine: engine([chunk("a"), chunk("b")]), model: MODEL });
  const onDelta = () => stop.abort(new DOMException("stopped", "AbortError"));
  await assert.rejects(ask(provider, { signal: stop.signal, onDelta }), { name: "AbortError" });
});

test("an engine or a model that is none is refused by its name", () => {
  assert.throws(() => wllama({ engine: {}, model: MODEL }), /engine must be made from the package @wllama\/wllama/);
  assert.throws(() => wllama({ engine: engine([]), model: 7 }), /model must be a GGUF file/);
});
