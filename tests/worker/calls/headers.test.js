// Headers of the caller: checked, and sent with each request.

import assert from "node:assert/strict";
import { test } from "node:test";
import { areHeaders, fetchWith, headersOf, isToken } from "../../../worker/calls/headers.js";
import { cancelRequest, encoded, request } from "../../../worker/calls/endpoint.js";

test("a token is printable, without spaces", () => {
  assert.deepEqual(
    ["abc-1", "a b", "", "é", "a\n", 1].map((value) => isToken(value)),
    [true, false, false, false, false, false],
  );
});

test("headers are names and texts that a request can have", () => {
  for (const value of [{}, { "x-gateway": "1" }]) assert.equal(areHeaders(value), true);
  for (const value of [null, [], "x", { "a b": "1" }, { a: 1 }, { a: "1\n2" }]) assert.equal(areHeaders(value), false);
});

test("a token and headers go with each request, and take none of its own away", async () => {
  const seen = [];
  const fetcher = fetchWith(
    headersOf({ "x-gateway": "g", "content-type": "text/plain" }, "secret"),
    async (url, sent) => {
      seen.push([url, Object.fromEntries(sent.headers)]);
      return new Response("{}");
    },
  );
  const { signal } = new AbortController();
  await request("https://a.example/api/rlm", await encoded({}), { fetcher, signal, idempotencyKey: "run/0" });
  await cancelRequest("https://a.example/api/rlm", "run/0", fetcher);
  await fetcher("https://a.example/api/models");
  const sent = { authorization: "Bearer secret", "x-gateway": "g" };
  const json = { ...sent, "content-type": "application/json" };
  assert.match(seen[0][1].accept, /heartbeat=1/);
  assert.deepEqual(seen, [
    ["https://a.example/api/rlm", { ...json, accept: seen[0][1].accept, "idempotency-key": "run/0" }],
    ["https://a.example/api/rlm/cancel", json],
    ["https://a.example/api/models", { ...sent, "content-type": "text/plain" }],
  ]);
});
