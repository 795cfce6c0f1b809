// An endpoint that is something else's address: it is named with its remedy, and not asked again.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ask, failure, json, prompt } from "../scripted_endpoint.js";

const ELSEWHERE = "https://other.example/api?token=of-a-person";
const page = (status) => new Response("<p>nothing", { status, headers: { "content-type": "text/html" } });
const NOTHING = {
  "a file server": [() => page(404), "it answers 404"],
  "a static host that takes no POST": [() => new Response("", { status: 405 }), "it answers 405"],
  "another service": [() => json({ detail: "Not Found" }, { status: 404 }), "it answers 404"],
  "another service with problems of its own": [
    () => json({ type: "about:blank", title: "Not Found" }, { status: 404 }),
    "it answers 404",
  ],
  "another path of a server of ours": [
    () => json({ type: "/problems/method-not-allowed", title: "No" }, { status: 405 }),
    "it answers 405",
  ],
  "a site whose router answers all": [() => page(200), "a web page comes in place of a reply"],
};

afterEach(() => {
  delete globalThis.location;
});

for (const [name, [respond, answer]] of Object.entries(NOTHING))
  test(`${name} is no endpoint`, async () => {
    globalThis.location = new URL("https://site.example/");
    const got = await ask([prompt("a")], respond, { endpoint: ELSEWHERE });
    const { type, retryable, detail } = failure(got);
    assert.deepEqual([type, retryable, got.posts.length], ["wrong-endpoint", false, 1]);
    assert.ok(
      detail.startsWith(`nothing answers model calls at https://other.example/api: ${answer}. The option`),
      detail,
    );
    assert.match(detail, /such as https:\/\/your-server\.example\/api\/rlm; without a server, pass a provider\.$/);
  });

test("a service that answers something else says which address is wanted", async () => {
  const { type, detail } = failure(await ask([prompt("a")], () => json({ models: [] })));
  assert.equal(type, "reply-malformed");
  assert.match(detail, /holds no text\. The option endpoint is the address of model calls/);
});

test("a refusal of a server of ours is none, nor is the page of a sign-in on the way to the page's own server", async () => {
  const refusal = {
    type: "https://s.example/problems/unknown-model",
    title: "No such model",
    detail: "x",
    status: 404,
  };
  assert.equal(failure(await ask([prompt("a")], () => json(refusal, { status: 404 }))).type, "unknown-model");
  assert.equal(failure(await ask([prompt("a")], () => page(200))).type, "proxy-refused");
});
