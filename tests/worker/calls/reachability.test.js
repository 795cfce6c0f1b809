// Reachability: a server that is gone, one whose CORS refuses the page, and one with another name on this machine.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { unreachedFault } from "../../../worker/calls/reachability.js";

const FAILED = new TypeError("Failed to fetch");
const SERVER = { name: "the server", remedy: "Allow it.", type: "server-unreachable" };
const [offline, online] = [{ onLine: false }, { onLine: true }];

/** A browser on `page`, in which a fetch of each mode in `modes` succeeds. */
function fault(url, { page = "https://site.example", modes = [] } = {}) {
  globalThis.location = new URL(page);
  return unreachedFault(url, FAILED, SERVER, async (_, { mode }) => {
    if (!modes.includes(mode)) throw FAILED;
    return new Response();
  });
}

beforeEach(() => Object.defineProperty(globalThis, "navigator", { value: online, configurable: true, writable: true }));
afterEach(() => {
  delete globalThis.location;
});

test("a server that answers nobody is gone, and tried again", async () => {
  const { message, type, retryable } = await fault("https://api.example/rlm");
  assert.match(message, /^the server cannot be reached at https:\/\/api\.example \(Failed to fetch\)\. Is it running/);
  assert.match(message, /Content-Security-Policy \(connect-src\) allow it\?$/);
  assert.deepEqual([type, retryable], ["server-unreachable", true]);
});

test("one that answers without CORS refuses the page: nothing is tried again, and the remedy is said", async () => {
  const { message, type, retryable } = await fault("https://api.example/rlm", { modes: ["no-cors"] });
  assert.equal(
    message,
    "the server answers at api.example, but its CORS does not allow this page (https://site.example) to read it. Allow it.",
  );
  assert.deepEqual([type, retryable], ["cors-refused", false]);
});

test("one that hides its answers but for its probe is there all the same", async () => {
  globalThis.location = new URL("https://site.example");
  const [url, alive] = ["https://api.example/api/rlm", "https://api.example/healthz"];
  const { type } = await unreachedFault(url, FAILED, { ...SERVER, alive }, async (asked, { mode }) => {
    if (asked !== alive || mode !== "no-cors") throw FAILED;
    return new Response();
  });
  assert.equal(type, "cors-refused");
});

test("one that answers with CORS was lost by its connection alone", async () => {
  const { type, retryable } = await fault("https://api.example/rlm", { modes: ["no-cors", "cors"] });
  assert.deepEqual([type, retryable], ["server-unreachable", true]);
});

test("two names of this machine are named", async () => {
  const [page, url] = ["http://localhost:8000", "http://127.0.0.1:9000/api/rlm"];
  const hint = /The page is at localhost:8000, the server at 127\.0\.0\.1:9000: use one name for both\.$/;
  assert.match((await fault(url, { page })).message, hint);
  assert.match((await fault(url, { page, modes: ["no-cors"] })).message, hint);
  assert.doesNotMatch((await fault(url, { page: "http://127.0.0.1:8000" })).message, /one name/);
});

test("a site that asks a server on this machine is told of the browser's permission", async () => {
  const { message } = await fault("http://127.0.0.1:9000/api/rlm");
  assert.match(message, /is the address right\? A browser lets a site reach this machine only where you allow it: /);
  assert.doesNotMatch((await fault("https://api.example/rlm")).message, /local network/);
});

test("a browser that is offline says so, but not of a server on this machine", async () => {
  globalThis.navigator = offline;
  assert.equal((await fault("https://api.example/rlm")).type, "offline");
  assert.equal((await fault("http://127.0.0.1:9000/api/rlm")).type, "server-unreachable");
});
