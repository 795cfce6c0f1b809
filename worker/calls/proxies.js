// @ts-check
// Proxies: answers of something between this page and the server, and how they differ from the server's own.
//
// In: a response. Out: a ProviderError in words for the way to the server, where the server itself did not answer. The
// server's own failures are problems in JSON; a proxy's are pages, or nothing.

import { providerError } from "../wire/errors.js";

/** Statuses of a proxy whose server does not answer. */
const AWAY = [502, 503, 504];
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\b/;

/**
 * Whether a proxy says that the server does not answer.
 * @param {Response} response
 */
export function isAway(response) {
  return AWAY.includes(response.status) && !JSON_TYPE.test(response.headers.get("content-type") ?? "");
}

/**
 * Whether a page came where a reply belongs: most often the sign-in of a proxy, at the end of a redirect.
 * @param {Response} response
 */
export function isPage(response) {
  return response.ok && /^text\/html\b/.test(response.headers.get("content-type") ?? "");
}

/**
 * The fault of a response that is not the server's; null where nothing special is known about it.
 * @param {Response} response
 * @param {{bytes: number, retryAfter: number | null}} request size of its body
 */
export function faultOfProxy(response, { bytes, retryAfter }) {
  const { status } = response;
  if (isAway(response)) {
    const message = `on the way to the server something answers ${status}: the server behind it does not answer.`;
    return providerError(message, { type: "server-away", retryable: true, status, retryAfter });
  }
  if (isPage(response)) {
    const message =
      "on the way to the server a web page came in place of its reply, most likely a sign-in that has run out. " +
      "Reload the page and sign in.";
    return providerError(message, { type: "proxy-refused", status });
  }
  if (status === 413) {
    const message =
      `on the way to the server something refuses a request of ${bytes.toLocaleString("en")} bytes as too large (413). ` +
      "Raise its limit to that of the server (nginx: client_max_body_size), or ask with shorter prompts.";
    return providerError(message, { type: "proxy-refused", status });
  }
  if (status !== 403) return null;
  const message =
    "on the way to the server something refuses the call (403): a firewall, or a sign-in that has run out.";
  return providerError(message, { type: "proxy-refused", status });
}
