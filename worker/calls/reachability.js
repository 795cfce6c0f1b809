// @ts-check
// Reachability: whether a server that `fetch` could not read answers all the same.
//
// In: its URL, and the error of `fetch`, which is one and the same for a server that is gone and for one whose CORS does not
// allow this page. Out: the fault with its remedy. A request without CORS tells the two apart: its answer cannot be read,
// but that there is one can be seen. Where the same request is answered with CORS too, only a connection broke.

import { providerError } from "../wire/errors.js";

const PROBE_MS = 1_200;
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * @param {string} url of another origin
 * @param {TypeError} error of `fetch`
 * @param {object} server
 * @param {string} server.name for the sentence, such as "the server"
 * @param {string} server.remedy where its CORS does not allow the page
 * @param {string} server.type of the fault, where it is gone
 * @param {string} [server.alive] URL at which it lets any page see that it answers
 * @param {typeof fetch} [fetcher]
 * @returns {Promise<ReturnType<typeof providerError>>}
 */
export async function unreachedFault(
  url,
  error,
  { name, remedy, type, alive = url },
  fetcher = (...request) => fetch(...request),
) {
  if (globalThis.navigator?.onLine === false && !isLoopback(new URL(url)))
    return providerError(`the browser is offline, and ${name} cannot be reached. Connect it again.`, {
      type: "offline",
      retryable: true,
    });
  const { host, origin } = new URL(url);
  const page = globalThis.location?.origin ?? "this page";
  const seen = await Promise.all([...new Set([url, alive])].map((each) => answers(each, "no-cors", fetcher)));
  if (seen.includes(true) && !(await answers(url, "cors", fetcher))) {
    const message = `${name} answers at ${host}, but its CORS does not allow this page (${page}) to read it. ${remedy}`;
    return providerError(`${message}${otherName(url)}`, { type: "cors-refused" });
  }
  const cause = `${name} cannot be reached at ${origin} (${error.message}). Is it running, is the address right`;
  const hint = otherName(url) || fromOutside(url);
  const policy = hint === "" ? ", and does this page's Content-Security-Policy (connect-src) allow it?" : `?${hint}`;
  return providerError(`${cause}${policy}`, { type, retryable: true });
}

/**
 * @param {string} url
 * @param {"cors" | "no-cors"} mode
 * @param {typeof fetch} fetcher
 */
async function answers(url, mode, fetcher) {
  const options = /** @type {const} */ ({ credentials: "omit", cache: "no-store" });
  const probe = fetcher(url, { ...options, mode, signal: AbortSignal.timeout(PROBE_MS) });
  return probe.then(
    () => true,
    () => false,
  );
}

/**
 * A hint where page and server are on this machine under two names: these are two origins, and a server may listen at one
 * of them alone.
 * @param {string} url
 */
function otherName(url) {
  const own = globalThis.location;
  const { hostname, host } = new URL(url);
  if (own === undefined || own.hostname === hostname || !isLoopback(own) || !isLoopback(new URL(url))) return "";
  return ` The page is at ${own.host}, the server at ${host}: use one name for both.`;
}

/**
 * A hint where a page of the web asks a server on this machine: browsers ask the person first, and a refusal looks like a
 * server that is gone.
 * @param {string} url
 */
function fromOutside(url) {
  const own = globalThis.location;
  if (own === undefined || isLoopback(own) || !isLoopback(new URL(url))) return "";
  return " A browser lets a site reach this machine only where you allow it: see its permission for the local network.";
}

/** @param {{hostname: string}} url */
function isLoopback({ hostname }) {
  return LOOPBACK.includes(hostname) || hostname.endsWith(".localhost");
}
