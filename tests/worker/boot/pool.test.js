// Pool: which worker a run gets, from what it started, and when the next one boots.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { WIRE } from "../../../worker/wire/protocol.js";
import { expectRun, keepableSnapshot, openPool, prepareWorker, takeWorker } from "../../../worker/boot/pool.js";

const FILES = ["pyodide.asm.wasm", "python_stdlib.zip", "core.zip", "pyodide-lock.json", "worker.js"];
const MADE = 7;
const REFILL_MS = 50;
const PERSON_REFILL_MS = 1_000;
const MAKE_MS = 2_000;

/** @typedef {{purpose: string, snapshot: Blob | null, isEnded: boolean, port: MessagePort, begin: () => void}} Booted */

/** @type {Booted[]} in their order */
let booted = [];
/** @type {(boot: Booted) => void} by default each worker starts at once */
let onBoot = ({ begin }) => begin();
let builds = 0;
let base = "";

class FakeWorker {
  /** @type {Booted | null} */
  boot = null;

  /** @param {{epoch: number, port: MessagePort, purpose: string, snapshot: Blob | null}} message */
  postMessage({ epoch, port, purpose, snapshot }) {
    const answer = async () => {
      const isBroken = snapshot !== null && (await snapshot.text()) !== String.fromCharCode(MADE);
      const ready = { type: "ready", level: "full", reason: "", transport: "shared-memory", seconds: 0 };
      const memory = { type: "snapshot", data: new Uint8Array([MADE]).buffer };
      const failed = { type: "failed", stage: "snapshot", error: "magic number" };
      port.postMessage({ epoch, ...(isBroken ? failed : purpose === "run" ? ready : memory) });
    };
    this.boot = { purpose, snapshot, isEnded: false, port, begin: answer };
    booted.push(this.boot);
    onBoot(this.boot);
  }

  terminate() {
    if (this.boot) this.boot.isEnded = true;
  }
}

/** @param {string} url */
async function served(url) {
  if (!url.endsWith("manifest.json")) return new Response("x", { headers: { "Content-Security-Policy": "sandbox" } });
  const files = Object.fromEntries(FILES.map((name) => [name, { path: name, sha256: `${builds}`.padEnd(64, "-") }]));
  return new Response(JSON.stringify({ files, wire: WIRE }));
}

Object.assign(globalThis, {
  fetch: (/** @type {URL} */ url) => served(String(url)),
  document: { baseURI: "https://site.example/" },
  location: { origin: "https://site.example" },
  Worker: FakeWorker,
});
Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
mock.method(WebAssembly, "compileStreaming", async () => ({}));
const { compile } = WebAssembly; // Node's own fetch uses it too
mock.method(WebAssembly, "compile", async (/** @type {ArrayBuffer} */ bytes) =>
  bytes.byteLength === 1 ? new Blob([bytes]) : compile(bytes),
);

beforeEach(() => {
  builds += 1;
  base = `https://site.example/${builds}/`;
  booted = [];
  onBoot = ({ begin }) => begin();
  mock.timers.enable({ apis: ["setTimeout"] });
});

afterEach(() => {
  mock.timers.reset();
  for (const { port } of booted) port.close(); // an open one keeps this process
});

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));
const memory = (/** @type {number} */ first) => Promise.resolve(new Blob([new Uint8Array([first])]));
const purposes = () =>
  booted.map(({ purpose, snapshot }) => (snapshot === null ? purpose : `${purpose} from snapshot`));

/** @param {number} milliseconds */
async function pass(milliseconds) {
  mock.timers.tick(milliseconds);
  for (let turn = 0; turn < 5; turn += 1) await settled();
}

test("the first worker of an opened pool boots before its run, from the snapshot that its caller kept", async () => {
  await openPool(base, { snapshot: memory(MADE), hasSpares: false });
  await settled();
  assert.deepEqual(purposes(), ["run from snapshot"]);
  assert.equal((await takeWorker(base)).start, "snapshot");
  assert.equal(booted.length, 1);
});

test("without a kept snapshot it boots plainly, and the snapshot is made when it is asked for", async () => {
  await openPool(base, { snapshot: Promise.resolve(null), hasSpares: false });
  assert.equal((await takeWorker(base)).start, "no snapshot (none is made yet)");
  const [data, again] = await Promise.all([keepableSnapshot(base), keepableSnapshot(base)]);
  assert.deepEqual(new Uint8Array((await data?.arrayBuffer()) ?? new ArrayBuffer(0)), new Uint8Array([MADE]));
  assert.equal(again, data);
  assert.deepEqual(purposes(), ["run", "snapshot"]);
  assert.equal((await takeWorker(base)).start, "snapshot");
});

test("a kept snapshot that no worker starts from is left aside, and is not to be kept", async () => {
  await openPool(base, { snapshot: memory(MADE + 1), hasSpares: false });
  assert.match((await takeWorker(base)).start, /^no snapshot \(.*magic number/);
  assert.equal(await keepableSnapshot(base), null);
});

test("a kept snapshot that cannot be read is made again", async () => {
  await openPool(base, { snapshot: Promise.reject(new Error("the file is gone")), hasSpares: false });
  assert.equal((await takeWorker(base)).start, "no snapshot (the file is gone)");
  assert.notEqual(await keepableSnapshot(base), null);
});

test("in a loop of runs the next worker boots on time: no run puts it off", async () => {
  await openPool(base, { snapshot: memory(MADE), hasSpares: true });
  await takeWorker(base);
  await pass(REFILL_MS - 10); // the run waits for its model
  await takeWorker(base);
  assert.equal(booted.length, 2);
  await pass(10);
  assert.equal(booted.length, 3);
  await takeWorker(base);
  assert.equal(booted.length, 3);
});

test("where runs come faster than workers boot, the next one boots beside the one that is waited for", async () => {
  await openPool(base, { snapshot: memory(MADE), hasSpares: true });
  await takeWorker(base);
  /** @type {Booted[]} */
  const held = [];
  onBoot = (boot) => void held.push(boot);
  await pass(REFILL_MS);
  assert.equal(held.length, 1);
  const taken = takeWorker(base);
  await settled();
  await pass(0);
  assert.equal(held.length, 2);
  for (const { begin } of held) begin();
  await taken;
  await pass(REFILL_MS);
  assert.equal(held.length, 2); // that one is the spare
  await takeWorker(base);
  assert.equal(booted.length, 3);
});

test("the snapshot is made while the first run is at work, also in a loop of short runs", async () => {
  await takeWorker(base);
  await pass(MAKE_MS - 100);
  await takeWorker(base);
  await pass(100);
  assert.deepEqual(purposes(), ["run", "run", "snapshot", "run from snapshot"]);
});

test("beside a run over a large context no spare is booted before its worker ends", async () => {
  await openPool(base, { snapshot: memory(MADE), hasSpares: true });
  await pass(REFILL_MS);
  const worker = await takeWorker(base, { contextBytes: 16 << 20 });
  await pass(10 * MAKE_MS);
  assert.equal(booted.length, 1);
  worker.terminate();
  await pass(0);
  await pass(REFILL_MS);
  assert.equal(booted.length, 2);
});

test("nor is one where such a run comes while the snapshot is made", async () => {
  const held = /** @type {Booted[]} */ ([]);
  onBoot = (boot) => (boot.purpose === "run" ? boot.begin() : void held.push(boot));
  await takeWorker(base);
  await pass(MAKE_MS);
  await takeWorker(base, { contextBytes: 16 << 20 });
  held[0].begin();
  await settled();
  await pass(10 * MAKE_MS);
  assert.deepEqual(purposes(), ["run", "snapshot", "run"]);
});

test("a caller without a next run has no spare booted for one, and still its snapshot", async () => {
  await openPool(base, { snapshot: Promise.resolve(null), hasSpares: false });
  await takeWorker(base);
  await pass(MAKE_MS);
  assert.deepEqual(purposes(), ["run", "snapshot"]);
});

test("the snapshot is made where a pool is open and no run comes", async () => {
  await openPool(base, { snapshot: Promise.resolve(null), hasSpares: true });
  await pass(0);
  await pass(MAKE_MS);
  assert.deepEqual(purposes(), ["run", "snapshot"]);
});

test("a snapshot that no caller keeps becomes a module as it is made, and there are no bytes to hand out", async () => {
  const compiled = mock.method(WebAssembly, "compile", async () => ({}));
  await openPool(base, { snapshot: null, hasSpares: false });
  await takeWorker(base);
  await pass(MAKE_MS);
  assert.deepEqual(purposes(), ["run", "snapshot"]);
  assert.equal(compiled.mock.callCount(), 1);
  assert.equal(await keepableSnapshot(base), null);
  compiled.mock.restore();
});

test("a run that is stopped while its worker boots leaves it to the next run", async () => {
  const begun = /** @type {Booted[]} */ ([]);
  onBoot = (boot) => void begun.push(boot);
  await openPool(base, { snapshot: memory(MADE), hasSpares: false });
  const stop = new AbortController();
  const taken = takeWorker(base, { signal: stop.signal });
  await settled();
  stop.abort();
  await assert.rejects(taken, /the run was stopped/);
  assert.equal(begun[0].isEnded, false);
  begun[0].begin();
  await takeWorker(base);
  assert.equal(booted.length, 1);
});

test("a page that prepares has its snapshot and a spare from it", async () => {
  await prepareWorker(base);
  assert.deepEqual(purposes(), ["snapshot", "run from snapshot"]);
  await takeWorker(base);
  assert.equal(booted.length, 2);
});

test("where a run is expected its worker boots at once, and the snapshot is made before the run comes", async () => {
  await Promise.all([expectRun(base), expectRun(base)]);
  await pass(0);
  assert.deepEqual(purposes(), ["run", "snapshot"]);
  await takeWorker(base);
  assert.equal(booted.length, 2);
  await pass(0);
  await pass(PERSON_REFILL_MS);
  assert.deepEqual(purposes(), ["run", "snapshot", "run from snapshot"]);
});

test("the next worker of a person's page boots beside a run that lasts, and soon where another one is asked for", async (t) => {
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  t.after(() => clock.mock.restore());
  await prepareWorker(base);
  await expectRun(base);
  await takeWorker(base);
  const before = booted.length;
  await pass(0);
  now += PERSON_REFILL_MS - 1;
  await pass(PERSON_REFILL_MS - 1);
  assert.equal(booted.length, before);
  now += 1;
  await pass(1);
  assert.equal(booted.length, before + 1);
  await takeWorker(base);
  await takeWorker(base); // as a child run does
  assert.equal(booted.length, before + 2);
  await pass(0);
  now += REFILL_MS;
  await pass(REFILL_MS);
  assert.equal(booted.length, before + 3);
});

test("a run that comes before its expected worker is ready has no snapshot made beside its beginning", async () => {
  onBoot = () => {};
  const expected = expectRun(base);
  await settled();
  const taken = takeWorker(base);
  await settled();
  onBoot = ({ begin }) => begin();
  booted[0].begin();
  await Promise.all([expected, taken]);
  await pass(0);
  assert.deepEqual(purposes(), ["run"]);
  await pass(MAKE_MS);
  assert.deepEqual(purposes(), ["run", "snapshot", "run from snapshot"]);
});

test("a run that is expected of assets that are not there fails when it comes, not before", async () => {
  mock.method(globalThis, "fetch", async () => new Response("", { status: 404 }), { times: 2 });
  await expectRun(base);
  await assert.rejects(takeWorker(base), /no assets at/);
  await takeWorker(base);
});

test("of two spares, one left by a run that was stopped, one is ended", async () => {
  onBoot = () => {};
  await openPool(base, { snapshot: memory(MADE), hasSpares: true });
  await settled();
  const stop = new AbortController();
  const stopped = takeWorker(base, { signal: stop.signal });
  await settled();
  const other = takeWorker(base);
  await settled();
  await pass(0);
  assert.equal(booted.length, 3);
  stop.abort();
  await assert.rejects(stopped, /the run was stopped/);
  for (const { begin } of booted) begin();
  await other;
  await settled();
  assert.deepEqual(
    booted.map(({ isEnded }) => isEnded),
    [true, false, false],
  );
});
