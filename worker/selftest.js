// @ts-check
// Self-test: what could code in this worker reach? Run at start, before the host sends any data.
//
// In: the worker's realm as the browser made it. Out: the containment level and, below `full`, the reason.
// No probe touches the network where a policy is missing: they use data: URLs, and a name that cannot exist.

/** @typedef {import("./protocol.js").Ready["level"]} Level */

const PROBE_SCRIPT = "data:text/javascript,globalThis.postMessage?.(1)";
const PROBE_MODULE = "data:text/javascript,export default 1";
const PROBE_SOCKET = "wss://self-test.invalid/";
const PROBE_MS = 1_000;

/**
 * @param {() => boolean} canWait
 * @returns {Promise<{level: Level, reason: string}>}
 */
export const selfTest = async (canWait) => {
  const open = (
    await Promise.all([
      probe("eval", evaluates),
      probe("fetch", async () => Boolean(await fetch("data:,"))),
      probe("XMLHttpRequest", requests),
      probe("WebSocket", () => opens("connect-src", () => new WebSocket(PROBE_SOCKET))),
      probe("FontFace", () => opens("font-src", loadsFont)),
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
};

/**
 * `name` when `reaches` says yes, "" when it says no, throws, or the API does not exist here.
 * @param {string} name
 * @param {() => boolean | Promise<boolean>} reaches
 */
const probe = async (name, reaches) => {
  try {
    return (await reaches()) ? name : "";
  } catch (refusal) {
    return refusal instanceof Error || refusal instanceof DOMException ? "" : name;
  }
};

const evaluates = () => (0, eval)("1") === 1;

const requests = () => {
  const request = new XMLHttpRequest();
  request.open("GET", "data:,", false);
  request.send();
  return true;
};

/** @returns {Promise<boolean>} */
const nests = () =>
  new Promise((resolve) => {
    const worker = new Worker(PROBE_SCRIPT);
    worker.onerror = () => resolve(false);
    worker.onmessage = () => resolve(true);
    setTimeout(resolve, PROBE_MS, true);
  });

const loadsFont = () => void new FontFace("self-test", "url(data:font/woff2,)").load().catch(() => null);

/**
 * Opening fails with and without a policy, so only the policy's own report counts as a refusal.
 * @param {"connect-src" | "font-src"} directive
 * @param {() => unknown} open
 */
const opens = async (directive, open) => {
  const refused = new Promise((resolve) => {
    const heard = (/** @type {SecurityPolicyViolationEvent} */ event) => {
      if (event.effectiveDirective !== directive || event.blockedURI.startsWith("data") !== (directive === "font-src"))
        return;
      globalThis.removeEventListener("securitypolicyviolation", heard);
      resolve(true);
    };
    globalThis.addEventListener("securitypolicyviolation", heard);
    setTimeout(resolve, PROBE_MS, false);
  });
  open();
  return !(await refused);
};

/** Keeps the bundler from resolving the probe. */
const nameOf = (/** @type {string} */ specifier) => specifier;
