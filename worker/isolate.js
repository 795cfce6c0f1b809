// @ts-check
// Isolate: cross-origin isolation for a static site whose host sends no headers, by a service worker.
//
// One classic script in two roles. In a page: registers itself, and reloads the page once, so that it comes through the
// service worker. There: adds the two headers to what the site itself answers, and nothing else; nothing is kept, nothing is
// asked anywhere. It lies beside the page, as a service worker serves the folders below it only. Where it cannot work, the
// page is as without it.

const MARK = "pyodide-rlm-isolate";
const EMPTY = [101, 204, 205, 304];

if (typeof document === "undefined") serve(/** @type {any} */ (globalThis));
else isolate(/** @type {HTMLScriptElement} */ (document.currentScript).src);

/** @param {string} url of this script */
async function isolate(url) {
  if (!("serviceWorker" in navigator)) return;
  try {
    if (globalThis.crossOriginIsolated) return sessionStorage.removeItem(MARK);
    if (sessionStorage.getItem(MARK) !== null) return; // it was reloaded, and that did not help
    await navigator.serviceWorker.register(url);
    await navigator.serviceWorker.ready;
    sessionStorage.setItem(MARK, "reloaded");
    location.reload();
  } catch (error) {
    console.info(`pyodide-rlm: no isolation by a service worker here: ${error}`); // private windows, blocked storage
  }
}

/**
 * @param {{addEventListener: (type: string, listener: (event: any) => void) => void, location: Location,
 *   skipWaiting: () => void, clients: {claim: () => Promise<void>}}} worker
 */
function serve(worker) {
  worker.addEventListener("install", () => worker.skipWaiting());
  worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
  worker.addEventListener("fetch", (event) => {
    if (new URL(event.request.url).origin === worker.location.origin) event.respondWith(answered(event.request));
  });
}

/** @param {Request} request */
async function answered(request) {
  const response = await fetch(request);
  if (response.type !== "basic") return response; // a redirect, which the browser follows
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText } = response;
  return new Response(EMPTY.includes(status) ? null : response.body, { status, statusText, headers });
}
