// Assets that the page brings itself: files by their path, a module by a URL of the page's memory; others are fetched.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchAsset, moduleUrl, provideAssets } from "../../../worker/boot/asset_source.js";

const FILES = { "a.json": '{"a": 1}', "json-schema.js": "export const Validator = 1; export const dereference = 2;" };
let reads = [];

provideAssets("kernel:///build/", async (path) => {
  reads.push(path);
  return path in FILES ? new Response(FILES[path]) : new Response(null, { status: 404 });
});

test("a file comes from the page, and one that is not there is a 404", async () => {
  reads = [];
  globalThis.fetch = () => assert.fail("it was fetched");
  assert.deepEqual(await (await fetchAsset(new URL("a.json", "kernel:///build/"))).json(), { a: 1 });
  assert.equal((await fetchAsset("kernel:///build/packages/b.json")).status, 404);
  assert.deepEqual(reads, ["a.json", "packages/b.json"]);
});

test("a folder that the page does not bring is fetched, with its options", async () => {
  const asked = [];
  globalThis.fetch = async (...request) => asked.push(request) && new Response("");
  await fetchAsset("https://site.example/a.json", { cache: "no-cache" });
  assert.deepEqual(asked, [["https://site.example/a.json", { cache: "no-cache" }]]);
  assert.equal(await moduleUrl("https://site.example/a.js"), "https://site.example/a.js");
});

test("a module has one URL that can be imported, however often it is needed", async () => {
  reads = [];
  const url = await moduleUrl("kernel:///build/json-schema.js");
  assert.match(url, /^blob:/);
  assert.equal(await moduleUrl("kernel:///build/json-schema.js"), url);
  assert.deepEqual(reads, ["json-schema.js"]);
});

test("the name of another folder that begins alike is not taken for it", async () => {
  globalThis.fetch = async () => new Response("fetched");
  assert.equal(await (await fetchAsset("kernel:///build2/a.json")).text(), "fetched");
});
