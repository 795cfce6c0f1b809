// @ts-check
// Headers: those that the caller adds to each request to the endpoint: its server's token, and what a gateway asks for.
//
// In: the options `token` and `headers`. Out: checked headers, and a fetch that sends them. Nothing else sees them: no log,
// no event and no worker.

const TOKEN = /^[!-~]+$/;

/** @param {unknown} value */
export function isToken(value) {
  return typeof value === "string" && TOKEN.test(value);
}

/** @param {unknown} value */
export function areHeaders(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const texts = Object.entries(value);
  try {
    return texts.every(([, text]) => typeof text === "string") && new Headers(texts) !== null;
  } catch (fault) {
    if (fault instanceof TypeError) return false; // a name or a text that no header has
    throw fault;
  }
}

/**
 * @param {Readonly<Record<string, string>>} headers
 * @param {string | null} token
 * @returns {Record<string, string>}
 */
export function headersOf(headers, token) {
  return token === null ? { ...headers } : { ...headers, authorization: `Bearer ${token}` };
}

/**
 * A fetch that sends `headers` with each request; those of the request itself win.
 * @param {Readonly<Record<string, string>>} headers
 * @param {typeof fetch} [fetcher]
 * @returns {typeof fetch}
 */
export function fetchWith(headers, fetcher = (...request) => fetch(...request)) {
  return (url, options) => {
    const sent = new Headers(headers);
    new Headers(options?.headers).forEach((text, name) => sent.set(name, text));
    return fetcher(url, { ...options, headers: sent });
  };
}
