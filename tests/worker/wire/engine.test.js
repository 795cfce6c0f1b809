// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { engineName, missingChannel } from "../../../worker/wire/engine.js";

const LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit";
/** User agents as the engines send them. */
const AGENTS = {
  "Chromium 156": [
    `${LINUX}/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36`,
    `${LINUX}/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0`,
  ],
  "Firefox 153": ["Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"],
  "WebKit 26.0": [`${LINUX}/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15`],
  WebKit: [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
  ],
  "an unknown engine": ["", "Lynx/2.9"],
};

test("an engine is named with its version, whichever browser is built on it", () => {
  for (const [name, agents] of Object.entries(AGENTS))
    for (const agent of agents) assert.equal(engineName(agent), name);
});

test("shared memory is a channel, and without both channels the cause says whether the page is isolated", (t) => {
  assert.equal(missingChannel(), null);
  const { Suspending } = /** @type {{Suspending?: unknown}} */ (WebAssembly);
  Reflect.deleteProperty(WebAssembly, "Suspending");
  t.after(() => void (Suspending && Reflect.set(WebAssembly, "Suspending", Suspending)));
  const { cause } = missingChannel(false) ?? assert.fail();
  assert.match(cause, /^The page is not isolated, .* has no JSPI to do without it\.$/);
  Reflect.set(globalThis, "crossOriginIsolated", true);
  t.after(() => Reflect.deleteProperty(globalThis, "crossOriginIsolated"));
  const isolated = missingChannel(false) ?? assert.fail();
  assert.match(isolated.cause, /^The page is isolated, .* has no SharedArrayBuffer, and no JSPI in its place\.$/);
});
