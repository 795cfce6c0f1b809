// @ts-check
// Vendor: one streamed request to a vendor's API, straight from the page.
//
// In: URL, headers and body of the request. Out: the JSON values of its reply, one a server-sent event, or the whole reply
// where the vendor does not stream; or a ProviderError. The key is in the headers only: nothing here logs or keeps them.

import { parseJson, received, textEventsOf } from "../calls/reply_streams.js";
import { unreachedFault } from "../calls/reachability.js";
import { configError, providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";
import { failureOf } from "./vendor_failures.js";

const CORS = "Its API may not be meant for browsers: ask it through a server of yours (pyodide-rlm serve).";

/**
 * A base URL without its last slash; only https, or this machine.
 * @param {string} adapter
 * @param {unknown} baseURL
 */
export function checkedBase(adapter, baseURL) {
  const url = typeof baseURL === "string" && URL.canParse(baseURL) ? new URL(baseURL) : null;
  if (url === null || !["https:", "http:"].includes(url.protocol))
    throw configError(`${adapter}: baseURL must be an address such as https://api.example/v1.`);
  return url.href.replace(/\/+$/, "");
}

/**
 * @param {string} adapter
 * @param {unknown} apiKey
 */
export function checkedKey(adapter, apiKey) {
  if (apiKey === null || apiKey === undefined) return null;
  if (typeof apiKey !== "string" || !/^[!-~]+$/.test(apiKey))
    throw configError(`${adapter}: apiKey must be a key: printable ASCII without spaces.`);
  return apiKey;
}

/**
 * The model of a call; null where neither it nor the adapter names one.
 * @param {string} adapter
 * @param {string | null} requested
 * @param {string | null} own
 */
export function chosenModel(adapter, requested, own) {
  const model = requested ?? own;
  if (model === null)
    throw providerError(`no model was named: pass model to RLM, or to ${adapter}.`, { type: "unknown-model" });
  return model;
}

/**
 * @param {string} url
 * @param {{headers: Record<string, string>, body: unknown, signal: AbortSignal, fetcher?: typeof fetch}} request
 * @returns {AsyncGenerator<Record<string, unknown>>}
 */
export async function* repliesOf(url, { headers, body, signal, fetcher = (...request) => fetch(...request) }) {
  const { host } = new URL(url);
  const sent = fetcher(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal,
    credentials: "omit",
    referrerPolicy: "no-referrer",
  });
  const response = await sent.catch(async (error) => {
    if (!(error instanceof TypeError)) throw error;
    throw await unreachedFault(url, error, { name: host, remedy: CORS, type: "upstream-unreachable" }, fetcher);
  });
  if (!response.ok) {
    const text = await received(response.text());
    throw failureOf(host, { status: response.status, body: text, retryAfter: response.headers.get("retry-after") });
  }
  for await (const value of valuesOf(response)) {
    const fields = fieldsOf(value);
    const isError = fields.type === "error" || (fields.error !== undefined && fields.error !== null);
    if (isError) throw failureOf(host, { status: 200, body: JSON.stringify(value) });
    yield fields;
  }
}

/**
 * @param {Response} response
 * @returns {AsyncGenerator<unknown>}
 */
async function* valuesOf(response) {
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("text/event-stream") || response.body === null)
    return void (yield parseJson(await received(response.text())));
  for await (const text of textEventsOf(response.body)) {
    if (text.trim() === "[DONE]") return;
    yield parseJson(text);
  }
}

/** @param {string} host */
export function cutOff(host) {
  return providerError(`the reply of ${host} was cut off. Ask again.`, {
    type: "upstream-cut-off",
    retryable: true,
    upstream: host,
  });
}

/**
 * A number of tokens, 0 for anything that is none.
 * @param {unknown} value
 */
export function tokens(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
