// Prompt API: a browser's own model, played by a double with its interface.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { openPageProvider } from "../../../worker/calls/page_provider.js";
import { hasPromptApi, promptApi } from "../../../worker/providers/prompt_api.js";
import { ask, failure, prompt } from "../scripted_endpoint.js";

afterEach(() => {
  delete globalThis.LanguageModel;
});

/** A browser's model that answers with `pieces`, or fails with one that is an Error; `log` takes what it was asked. */
function installed(pieces, { state = "available", log = [] } = {}) {
  globalThis.LanguageModel = {
    availability: async () => state,
    async create({ initialPrompts }) {
      log.push(["create", initialPrompts]);
      return {
        inputUsage: 11,
        promptStreaming(text, { responseConstraint }) {
          log.push(["prompt", text, responseConstraint]);
          return new ReadableStream({
            start(controller) {
              for (const piece of pieces) {
                if (piece instanceof Error) return controller.error(piece);
                controller.enqueue(piece);
              }
              return controller.close();
            },
          });
        },
        destroy: () => log.push(["destroy"]),
      };
    },
  };
  return log;
}

function asked(calls, options) {
  const provider = openPageProvider(promptApi());
  return ask(calls, () => assert.fail("the endpoint was called"), { provider, idleMs: undefined, ...options });
}

test("a browser without it says so, and which one has it", async () => {
  assert.equal(await hasPromptApi(), false);
  assert.throws(() => promptApi(), {
    name: "ConfigError",
    message: /no language model of its own.*Chrome on a desktop/,
  });
  installed([], { state: "unavailable" });
  assert.equal(await hasPromptApi(), false);
  const { type, retryable, detail } = failure(await asked([prompt("Q")]));
  assert.deepEqual([type, retryable], ["upstream-failed", false]);
  assert.match(detail, /cannot run on this machine/);
});

test("a conversation opens a session of its own, which ends with the reply; a schema is its constraint", async () => {
  const log = installed(["one ", "two"]);
  const messages = [
    { role: "system", content: "S" },
    { role: "user", content: "Q" },
  ];
  const { frames, usage, written } = await asked([{ model: null, messages }], { kind: "root" });
  assert.equal(frames[0].text, "one two");
  assert.equal(written.map(([, { text }]) => text).join(""), "one two");
  assert.deepEqual(usage.default, { calls: 1, input_tokens: 11, output_tokens: 0, cached_tokens: 0, cost: 0 });
  assert.deepEqual(log, [["create", [messages[0]]], ["prompt", "Q", undefined], ["destroy"]]);
  const schema = '{"type":"object"}';
  await asked([{ ...prompt(`Q ${schema}`), schema }]);
  assert.deepEqual(log[4][2], { type: "object" });
});

test("a prompt beyond its window, and other failures, are errors in words, and end the session", async () => {
  const log = installed([Object.assign(new Error("too large"), { name: "QuotaExceededError" })]);
  const long = failure(await asked([prompt("Q")]));
  assert.match(long.detail, /QuotaExceededError: too large.*Send less text at once/);
  assert.deepEqual([long.type, long.retryable, log[2]], ["upstream-prompt-too-long", false, ["destroy"]]);
  installed([Object.assign(new Error("gpu"), { name: "UnknownError" })]);
  assert.equal(failure(await asked([prompt("Q")])).retryable, true);
});
