// @ts-check
// Probes: requests to a host that cannot exist, which only a policy stops by a report.
//
// The worker's self-test makes them, and in a frame its document too: Firefox 153 reports refused fonts and modules there,
// and not in the worker, whose policy is the frame's.

export const PROBE_HOST = "https://self-test.invalid/";
export const PROBE_FONT = `${PROBE_HOST}font`;
export const PROBE_MODULE = `${PROBE_HOST}module`;
/** A busy machine reports late; nothing waits so long where a policy is whole. */
export const PROBE_MS = 3_000;

export function loadFont(/** @type {string} */ url) {
  return new FontFace("self-test", `url(${url})`).load();
}

/** The address is no literal, so that the bundler does not resolve it. */
export function importModule(/** @type {string} */ url) {
  return import(url);
}

/**
 * The addresses that this document's policy refuses, by its own reports.
 * @returns {Promise<string[]>}
 */
export function refusedByDocument() {
  const probes = [PROBE_FONT, PROBE_MODULE];
  /** @type {Set<string>} */
  const refused = new Set();
  return new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
      if (probes.includes(blockedURI)) refused.add(blockedURI);
      if (refused.size === probes.length) resolve([...refused]);
    });
    setTimeout(() => resolve([...refused]), PROBE_MS);
    for (const attempt of [loadFont(PROBE_FONT), importModule(PROBE_MODULE)]) attempt.catch(() => null);
  });
}
