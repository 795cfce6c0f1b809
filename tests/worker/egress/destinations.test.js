// Destinations: the server's list of models tells the default, the host class and the window; without it none is known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDestinations, recentList } from "../../../worker/egress/destinations.js";

const HERE = "https://here.example/api/rlm";
const LIST = {
  default: "openai:a",
  models: [
    { id: "openai:a", host: "openai", window_tokens: 32_768 },
    { id: "openai:b", host: "openai", window_tokens: null },
    { id: "openai:c", window_tokens: "8192" },
    { id: "openai:d", window_tokens: 12 },
  ],
};

test("the window of a model is the one that its provider tells", async () => {
  const { windowTokens } = openDestinations(HERE, async () => LIST);
  assert.deepEqual([await windowTokens("openai:a"), await windowTokens(null)], [32_768, 32_768]);
  for (const model of ["openai:b", "openai:c", "openai:d", "openai:e"]) assert.equal(await windowTokens(model), null);
});

test("without a list of models no window is known", async () => {
  for (const list of [null, "portal", { models: 7 }, { models: [null, 3] }])
    assert.equal(await openDestinations(HERE, async () => list).windowTokens(null), null);
  const failing = openDestinations(HERE, () => Promise.reject(new TypeError("Failed to fetch")));
  assert.equal(await failing.windowTokens("openai:a"), null);
});

test("a list is read once for questions that follow each other, and anew for other headers, later, or when none came", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  globalThis.location = { origin: "https://here.example" };
  t.after(() => delete globalThis.location);
  let asked = 0;
  let isUp = true;
  const fetcher = async () => {
    asked += 1;
    return new Response(JSON.stringify(LIST), { status: isUp ? 200 : 503 });
  };
  const read = (headers) => recentList(new URL("models", HERE), headers, fetcher);
  assert.deepEqual([await read({}), await read({}), asked], [LIST, LIST, 1]);
  assert.deepEqual([await read({ authorization: "other" }), asked], [LIST, 2]);
  now = 10_000;
  isUp = false;
  assert.deepEqual([await read({ authorization: "other" }), asked], [null, 3]);
  isUp = true;
  assert.deepEqual([await read({ authorization: "other" }), asked], [LIST, 4]);
});
