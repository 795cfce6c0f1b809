// @ts-check
// Self-test: the reach of code in this worker, probed at start, before the host sends any data.
//
// In: the worker's realm as the browser made it. Out: the containment level and, below `full`, the reason.
// No probe touches another machine where a policy is missing: they use data: URLs, a name that cannot exist, and a font of
// the own server. The font has no glyph; that it loads is the sign that no policy is in force.

import PROBE_FONT from "./self-test.woff2";

/** @typedef {import("../wire/protocol.js").Ready["level"]} Level */

const PROBE_SCRIPT = "data:text/javascript,globalThis.postMessage?.(1)";
const PROBE_MODULE = "data:text/javascript,export default 1";
/** Names of hosts that cannot exist: a policy may treat these and `data:` differently. */
const PROBE_SOCKET = "wss://self-test.invalid/";
const PROBE_HOST = "https://self-test.invalid/";
/** Beside this script: a policy that trusts its own server would let it in. In a frame it comes from no server. */
const IS_SERVED = location.protocol !== "blob:";
const PROBE_SELF = new URL("self-test", IS_SERVED ? location.href : PROBE_HOST).href;
/** The same font beside this script, at an address that no cache knows. */
const OWN_FONT = IS_SERVED ? new URL(`${OWN_FONT_NAME}?${Math.random()}`, location.href).href : "";
/** A busy machine reports late; nothing waits so long where a policy is whole. */
const PROBE_MS = 3_000;
/** How long after the report of a later refusal that of an earlier one may come. */
const REPORT_MS = 100;
/** An engine that reports refusals has done so by then, as a rule: no later one is made, which the console would show. */
const SOON_MS = 20;
const { fetch: ownFetch } = globalThis; // Pyodide's start puts its own in that place

/**
 * @param {() => boolean} canWait
 * @returns {Promise<{level: Level, reason: string}>}
 */
export async function selfTest(canWait) {
  const probes = Promise.all([
    probe("eval", evaluates),
    probe("fetch", async () => Boolean(await fetch("data:,"))),
    probe("XMLHttpRequest", requests),
    probe("fetch over https", () => opens(`${PROBE_HOST}fetch`, (url) => fetch(url))),
    probe("WebSocket", () => opens(PROBE_SOCKET, (url) => new WebSocket(url))),
    probe("FontFace", () => opensAs(PROBE_FONT, `${PROBE_HOST}font`, loadFont, OWN_FONT)),
    probe("import() over https", () => opensAs(PROBE_MODULE, `${PROBE_HOST}module`, importModule)),
    probe("import() of its own server", () => opensAs(PROBE_MODULE, PROBE_SELF, importModule)),
    probe("Worker", nests),
  ]);
  const waits = typeof SharedArrayBuffer !== "function" || canWait(); // 10 ms, in which other threads refuse the probes
  const open = (await probes).filter((name) => name !== "");
  const stores = await probe("indexedDB", () => Boolean(indexedDB.open("self-test")));
  if (open.length > 0) return { level: "weak", reason: `no content security policy stops ${open.join(", ")}` };
  if (globalThis.origin !== "null") return { level: "network", reason: `the worker's origin is ${globalThis.origin}` };
  if (stores) return { level: "network", reason: "indexedDB is open" };
  if (!waits) return { level: "network", reason: "Atomics.wait fails" };
  return { level: "full", reason: "" };
}

/**
 * `name` when `reaches` says yes, "" when it says no, throws, or the API does not exist here.
 * @param {string} name
 * @param {() => boolean | Promise<boolean>} reaches
 */
async function probe(name, reaches) {
  try {
    return (await reaches()) ? name : "";
  } catch (refusal) {
    return refusal instanceof Error || refusal instanceof DOMException ? "" : name;
  }
}

function evaluates() {
  return (0, eval)("1") === 1;
}

function requests() {
  const request = new XMLHttpRequest();
  request.open("GET", "data:,", false);
  request.send();
  return true;
}

/** @returns {Promise<boolean>} */
function nests() {
  return new Promise((resolve) => {
    const worker = new Worker(PROBE_SCRIPT);
    const settle = (/** @type {boolean} */ isOpen) => {
      worker.terminate(); // held until then: one that nobody holds may be collected before it fails
      resolve(isOpen);
    };
    worker.onerror = () => settle(false);
    worker.onmessage = () => settle(true);
    setTimeout(settle, PROBE_MS, true);
  });
}

/**
 * Opening fails with and without a policy, so only the policy's own report counts as a refusal.
 * @param {string} url
 * @param {(url: string) => unknown} open
 */
async function opens(url, open) {
  const refused = reported((event) => event.blockedURI === url, PROBE_MS);
  new Promise((resolve) => resolve(open(url))).catch(() => null); // begins now; how it fails does not matter
  return !(await refused);
}

/**
 * `opens`, for a kind of which an engine may report no refusal at all: Firefox 153 none of fonts, and none of `import()` in
 * a frame. A twin by a `data:` address opens where no policy is, and fails where one is; whether its refusal was reported
 * tells whether the other's would be. Where it would not, the own server's file decides, which opens unless it is refused.
 * @param {string} twin
 * @param {string} url
 * @param {(url: string) => Promise<unknown>} open
 * @param {string} [own] "" where there is none
 */
async function opensAs(twin, url, open, own = "") {
  const other = opens(url, open);
  const isTwin = (/** @type {SecurityPolicyViolationEvent} */ { blockedURI, effectiveDirective }) =>
    blockedURI === "data" && effectiveDirective.startsWith(open === loadFont ? "font-src" : "script-src");
  const report = reported(isTwin, PROBE_MS);
  if (await succeeds(open(twin))) return true;
  if (await Promise.race([report, falseAfter(SOON_MS)])) return other;
  if (await Promise.race([report, laterReport(url)])) return other;
  return own !== "" && succeeds(open(own));
}

/**
 * False as soon as a refusal that came after all others is reported.
 * @param {string} url
 */
async function laterReport(url) {
  await opens(`${url}-after`, (later) => ownFetch(later));
  return falseAfter(REPORT_MS);
}

/**
 * @param {number} milliseconds
 * @returns {Promise<boolean>}
 */
function falseAfter(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, false));
}

/** @param {Promise<unknown>} attempt */
function succeeds(attempt) {
  return attempt.then(
    () => true,
    () => false,
  );
}

/**
 * Whether a refusal is reported in time.
 * @param {(event: SecurityPolicyViolationEvent) => boolean} isMeant
 * @param {number} milliseconds
 * @returns {Promise<boolean>}
 */
function reported(isMeant, milliseconds) {
  return new Promise((resolve) => {
    /** @param {SecurityPolicyViolationEvent} event */
    const onViolation = (event) => {
      if (!isMeant(event)) return;
      globalThis.removeEventListener("securitypolicyviolation", onViolation);
      resolve(true);
    };
    globalThis.addEventListener("securitypolicyviolation", onViolation);
    setTimeout(resolve, milliseconds, false);
  });
}

function loadFont(/** @type {string} */ url) {
  return new FontFace("self-test", `url(${url})`).load();
}

/** The address is no literal, so that the bundler does not resolve it. */
function importModule(/** @type {string} */ url) {
  return import(url);
}
