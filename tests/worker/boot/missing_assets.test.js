// Assets that are not there: the failure says so, with the address and the remedy, whatever the server answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAssets } from "../../../worker/boot/runtime.js";
import { WIRE } from "../../../worker/wire/protocol.js";

const SITE = "https://site.example/";
const PAGE = () => new Response("<!doctype html><p>a router's page", { headers: { "content-type": "text/html" } });
const NAMES = ["worker.js", "relay.js", "pyodide.asm.wasm", "python_stdlib.zip", "core.zip", "pyodide-lock.json"];
const FILES = Object.fromEntries(NAMES.map((name) => [name, { path: name, sha256: "0".repeat(64) }]));
const REMEDY = /npx pyodide-rlm-assets.*serve the folder unchanged, and pass its address as the option assets\.$/;

globalThis.document = { baseURI: SITE };
globalThis.location = new URL(SITE);

/** The failure of `loadAssets`, where the site answers as `answer` says. */
async function failure(base, answer) {
  globalThis.fetch = async (url) => answer(new URL(url).pathname);
  return loadAssets(base).then(
    () => assert.fail("it loaded"),
    (error) => error,
  );
}

test("a folder that is not there is named, also where a router answers with a page of the site", async () => {
  for (const [name, answer] of [
    ["gone/", () => new Response("", { status: 404 })],
    ["routed/", PAGE],
  ]) {
    const { message, name: kind } = await failure(`/${name}`, answer);
    assert.equal(kind, "ChannelError");
    assert.ok(message.startsWith(`no assets at ${SITE}${name}: manifest.json there answered `), message);
    assert.match(message, REMEDY);
  }
});

test("a file of the manifest that a router answers with a page is named, not read as code", async () => {
  const manifest = () => Response.json({ files: FILES, wire: WIRE });
  const { message } = await failure("/half/", (path) => (path.endsWith("manifest.json") ? manifest() : PAGE()));
  assert.match(message, /^https:\/\/site\.example\/half\/\S+ is not there: a page of the site came in its place\. /);
  assert.match(message, REMEDY);
});

test("a file that is cut off on its way is named, and fetched anew by the next try", async () => {
  const manifest = () => Response.json({ files: FILES, wire: WIRE });
  const cut = () => {
    const pull = (controller) => controller.error(new TypeError("network error"));
    return new Response(new ReadableStream({ pull }), { headers: { "content-type": "application/wasm" } });
  };
  let asked = 0;
  const answer = (path) => {
    asked += path.endsWith("core.zip") ? 1 : 0;
    return path.endsWith("manifest.json") ? manifest() : cut();
  };
  for (const tries of [1, 2]) {
    const { message, name } = await failure("/cut/", answer);
    assert.equal(name, "ChannelError");
    assert.match(
      message,
      /^https:\/\/site\.example\/cut\/\S+ could not be loaded \(.+\)\. Try again: it is fetched anew\.$/,
    );
    assert.equal(asked, tries);
  }
});

test("a bundle that left the module the address of its source says that the option is missing", async () => {
  const { message } = await failure("file:///home/me/app/node_modules/pyodide-rlm/assets/", () =>
    assert.fail("fetched"),
  );
  assert.match(
    message,
    /^the option assets is missing: this module was bundled, .*pyodide-rlm\/assets\/, has no address on the web\./,
  );
  assert.match(message, REMEDY);
});
