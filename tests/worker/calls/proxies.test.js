// What stands between page and server answers in its place: told from the server, waited for, or named with its limit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOfProxy, isAway, isPage } from "../../../worker/calls/proxies.js";
import { ask, done, failure, json, prompt, sse, streamed } from "../scripted_endpoint.js";

const HTML = { headers: { "content-type": "text/html; charset=utf-8" } };
const reply = () => streamed([sse({ delta: "ok" }, done)]);
const page = (status) => new Response("<h1>nginx</h1>", { status, ...HTML });

test("a page in place of a reply, with success or not, is a proxy's", () => {
  assert.deepEqual(
    [page(200), page(502), json({}, { status: 502 }), reply()].map((response) => [isPage(response), isAway(response)]),
    [
      [true, false],
      [false, true],
      [false, false],
      [false, false],
    ],
  );
});

for (const status of [502, 503, 504])
  test(`a proxy's ${status} is waited for as long as it lasts, and told once`, async () => {
    const got = await ask([prompt("a"), prompt("b")], (at) => {
      if (at === 0) return json({ results: ["A"], errors: [{ index: 1, type: "x", retryable: true }] });
      return at < 12 ? page(status) : json({ results: ["B"] });
    });
    assert.deepEqual(
      got.frames.map(({ text }) => text),
      ["A", "B"],
    );
    assert.equal(got.posts.length, 13);
    const told = got.notices.filter((text) => text.includes("The run waits") || text.includes("answers again"));
    assert.match(told[0], new RegExp(`^on the way to the server something answers ${status}: .* The run waits`));
    assert.equal(told.length, 2);
  });

const BARRED = {
  "too large": [page(413), /refuses a request of 1,234,567 bytes as too large \(413\).*client_max_body_size/],
  forbidden: [page(403), /something refuses the call \(403\)/],
  "a sign-in": [page(200), /a sign-in that has run out\. Reload the page/],
};
for (const [name, [response, message]] of Object.entries(BARRED))
  test(`${name}: it is named, and not asked again`, () => {
    const fault = faultOfProxy(response, { bytes: 1_234_567, retryAfter: null });
    assert.deepEqual([fault.type, fault.retryable], ["proxy-refused", false]);
    assert.match(fault.message, message);
  });

test("a page where a reply belongs ends the call in words, and other statuses are as before", async () => {
  const got = await ask([prompt("a")], () => page(200));
  assert.deepEqual([failure(got).type, got.posts.length], ["proxy-refused", 1]);
  assert.equal(faultOfProxy(page(500), { bytes: 1, retryAfter: null }), null);
});
