// Packages: those that a run chooses, with all that they need, from the lock file beside the assets; and their wheels.

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { after, before, test } from "node:test";

import { chosenPackages, packageHandler } from "../../../worker/boot/packages.js";

const BUILT_IN = { mammoth: { file_name: "mammoth.0123.whl", sha256: "" } };
const ASSETS = { lock: JSON.stringify({ packages: BUILT_IN }), folder: "https://site.example/rlm/assets/" };
const WHEEL = new TextEncoder().encode("the bytes of a wheel");
const native = globalThis.fetch;

/** @type {Record<string, () => Response>} by URL */
let answers = {};

before(() => {
  globalThis.fetch = async (url) => (answers[String(url)] ?? (() => new Response("", { status: 404 })))();
});
after(() => {
  globalThis.fetch = native;
});

const sha256 = async (/** @type {Uint8Array} */ bytes) =>
  Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("hex");

const entry = async (/** @type {string} */ name, /** @type {string[]} */ depends = []) => ({
  name,
  version: "1",
  imports: [name.replaceAll("-", "_")],
  depends,
  file_name: `${name}.whl`,
  sha256: await sha256(WHEEL),
});

async function added() {
  const packages = {
    pandas: await entry("pandas", ["numpy", "mammoth", "python-dateutil"]),
    numpy: await entry("numpy"),
    "python-dateutil": await entry("python-dateutil", ["numpy"]),
    other: await entry("other"),
  };
  answers = {
    "https://site.example/rlm/assets/packages/pyodide-lock.json": () => Response.json({ packages }),
    "https://site.example/rlm/assets/packages/numpy.whl": () => new Response(WHEEL),
    "https://site.example/rlm/assets/packages/pandas.whl": () => new Response("changed"),
  };
}

test("a package comes with all that it needs, but for the built-in ones", async () => {
  await added();
  const chosen = await chosenPackages(["Pandas", "mammoth"], ASSETS);
  assert.deepEqual(chosen.map(({ name }) => name).sort(), ["numpy", "pandas", "python-dateutil"]);
});

test("one that was not added is refused with the command that adds it, and those that were", async () => {
  await added();
  await assert.rejects(chosenPackages(["matplotlib"], ASSETS), {
    name: "ConfigError",
    message:
      /no package matplotlib beside the server: `pyodide-rlm packages add matplotlib` adds it. Added are pandas, /,
  });
  answers = {};
  await assert.rejects(chosenPackages(["pandas"], ASSETS), /None was added/);
  assert.deepEqual(await chosenPackages(["mammoth"], ASSETS), []);
});

/** The answer to a request for a package, as text; rejects as the handler does. */
async function asked(/** @type {string} */ name, /** @type {any[]} */ chosen) {
  let text = "";
  const answer = {
    write: (/** @type {Uint8Array} */ part) => (text += new TextDecoder().decode(part)),
    end: () => {},
  };
  await packageHandler(ASSETS, chosen)(JSON.stringify({ op: "package", name }), /** @type {any} */ (answer), []);
  return text;
}

test("a worker gets the wheels of its run's packages, and of no others", async () => {
  await added();
  const chosen = await chosenPackages(["pandas"], ASSETS);
  assert.equal(await asked("numpy", chosen), "the bytes of a wheel");
  await assert.rejects(asked("other", chosen), /no package other/);
  await assert.rejects(asked("numpy", []), /no package numpy/);
  await assert.rejects(asked("../pyodide-lock", chosen), /no package/);
});

test("a wheel whose hash is another is not handed on", async () => {
  await added();
  await assert.rejects(asked("pandas", await chosenPackages(["pandas"], ASSETS)), /is not the file that the lock file/);
});
