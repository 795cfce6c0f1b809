// @ts-check
// Self-test: the reach of code in this worker, probed at start, before the host sends any data.
//
// In: the worker's realm as the browser made it. Out: the containment level and, below `full`, the reason.
// No probe touches the network where a policy is missing: they use data: URLs, and a name that cannot exist.

/** @typedef {import("../wire/protocol.js").Ready["level"]} Level */

const PROBE_SCRIPT = "data:text/javascript,globalThis.postMessage?.(1)";
const PROBE_MODULE = "data:text/javascript,export default 1";
/** Names of hosts that cannot exist: a policy may treat these and `data:` differently. */
const PROBE_SOCKET = "wss://self-test.invalid/";
const PROBE_HOST = "https://self-test.invalid/";
/** Beside this script: a policy that trusts its own server would let it in. In a frame it comes from no server. */
const PROBE_SELF = new URL("self-test", location.protocol === "blob:" ? PROBE_HOST : location.href).href;
const PROBE_MS = 1_000;

/**
 * @param {() => boolean} canWait
 * @returns {Promise<{level: Level, reason: string}>}
 */
export async function selfTest(canWait) {
  const open = (
    await Promise.all([
      probe("eval", evaluates),
      probe("fetch", async () => Boolean(await fetch("data:,"))),
      probe("XMLHttpRequest", requests),
      probe("fetch over https", () => opens(`${PROBE_HOST}fetch`, (url) => fetch(url))),
      probe("WebSocket", () => opens(PROBE_SOCKET, (url) => new WebSocket(url))),
      probe("FontFace", () => opens(`${PROBE_HOST}font`, (url) => new FontFace("self-test", `url(${url})`).load())),
      probe("import() over https", () => opens(`${PROBE_HOST}module`, (url) => import(nameOf(url)))),
      probe("import() of its own server", () => opens(PROBE_SELF, (url) => import(nameOf(url)))),
      probe("Worker", nests),
      probe("import()", async () => Boolean(await import(nameOf(PROBE_MODULE)))),
    ])
  ).filter((name) => name !== "");
  const stores = await probe("indexedDB", () => Boolean(indexedDB.open("self-test")));
  if (open.length > 0) return { level: "weak", reason: `no content security policy stops ${open.join(", ")}` };
  if (globalThis.origin !== "null") return { level: "network", reason: `the worker's origin is ${globalThis.origin}` };
  if (stores) return { level: "network", reason: "indexedDB is open" };
  if (typeof SharedArrayBuffer === "function" && !canWait()) return { level: "network", reason: "Atomics.wait fails" };
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
    worker.onerror = () => resolve(false);
    worker.onmessage = () => resolve(true);
    setTimeout(resolve, PROBE_MS, true);
  });
}

/**
 * Opening fails with and without a policy, so only the policy's own report counts as a refusal.
 * @param {string} url
 * @param {(url: string) => unknown} open
 */
async function opens(url, open) {
  const refused = new Promise((resolve) => {
    /** @param {SecurityPolicyViolationEvent} event */
    const onViolation = (event) => {
      if (event.blockedURI !== url) return;
      globalThis.removeEventListener("securitypolicyviolation", onViolation);
      resolve(true);
    };
    globalThis.addEventListener("securitypolicyviolation", onViolation);
    setTimeout(resolve, PROBE_MS, false);
  });
  new Promise((resolve) => resolve(open(url))).catch(() => null); // begins now; how it fails does not matter
  return !(await refused);
}

/**
 * Keeps the bundler from resolving the probe.
 * @param {string} specifier
 */
function nameOf(specifier) {
  return specifier;
}
