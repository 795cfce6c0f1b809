// @ts-check
// Engine: the browser that this code runs in, and by which channel model code could wait in it.
//
// In: the realm as the browser made it, of a page or a worker. Out: name and version, and why there is no channel. The
// level of containment is not known here: a worker tests its own reach.

/** @type {[name: string, version: RegExp][]} the first that fits; all others name WebKit for compatibility */
const ENGINES = [
  ["Firefox", /\bFirefox\/(\d+)/],
  ["Chromium", /\b(?:Headless)?Chrome\/(\d+)/],
  ["WebKit", /\bAppleWebKit\/.*\bVersion\/(\d+(?:\.\d+)?)/],
];

/**
 * Name and version of the engine, whichever browser is built on it: "Chromium 156" for Chrome and Edge too. WebKit tells the
 * version of Safari that it corresponds to.
 * @param {string} [agent]
 */
export function engineName(agent = globalThis.navigator?.userAgent ?? "") {
  for (const [name, form] of ENGINES) {
    const version = form.exec(agent)?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return /\bAppleWebKit\//.test(agent) ? "WebKit" : "an unknown engine";
}

/**
 * Why model code cannot wait for a reply here, and the remedy; null: it can.
 * @param {boolean} [isShared] whether there is shared memory
 * @returns {{cause: string, remedy: string} | null}
 */
export function missingChannel(isShared = typeof SharedArrayBuffer === "function") {
  if (isShared || "Suspending" in WebAssembly) return null;
  if (globalThis.crossOriginIsolated)
    return {
      cause: `The page is isolated, but this engine (${engineName()}) has no SharedArrayBuffer, and no JSPI in its place.`,
      remedy: "Open the page in Chromium or Firefox.",
    };
  return {
    cause: `The page is not isolated, so that it has no SharedArrayBuffer, and this engine (${engineName()}) has no JSPI to do without it.`,
    remedy: "Serve the page with COOP and COEP, as “pyodide-rlm serve” does, or open it in a browser with JSPI.",
  };
}
