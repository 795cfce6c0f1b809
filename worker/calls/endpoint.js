// @ts-check
// Endpoint: one request for model calls, and the reading of its reply.
//
// In: a body. Out: a completion or a ProviderError for each call of it, as they come. Each error has a type: that of the
// server's problem, without its path, or one of those made here. Nothing is retried here: see retries.js.

import { FINISH_REASONS } from "../wire/protocol.js";
import { providerError } from "../wire/errors.js";
import { jsonIn } from "../wire/json.js";
import { encodedJson } from "../time/long_text.js";
import { inSlices } from "../time/time_slices.js";
import { fieldsOf } from "../wire/schema.js";
import { faultOfProxy, isPage } from "./proxies.js";
import { unreachedFault } from "./reachability.js";
import { eventsOf, parseJson, received, valuesOf } from "./reply_streams.js";
import { REMEDY, wrongEndpoint, wrongEndpointFault } from "./wrong_endpoint.js";

/**
 * @typedef {import("../wire/protocol.js").ModelUsage} ModelUsage
 * @typedef {ReturnType<typeof providerError>} ProviderError
 * @typedef {import("../wire/types.d.ts").Completion} Completion
 * @typedef {(index: number, reply: Completion | ProviderError, isStored?: boolean) => void} Take by its index in the
 *   request; a stored reply was kept by the server from an earlier request
 */

const BODY_BYTES = 64 << 20;
/** Every kind of reply; one that comes whole and late may begin with white space, so that no proxy cuts its connection. */
const ACCEPTED = "application/json;heartbeat=1, text/event-stream, application/x-ndjson, */*";
const MAY_PASS = [408, 425, 429, 500, 502, 503, 504];

/**
 * Whether it is the server of this very page.
 * @param {string} endpoint
 */
export function isOwn(endpoint) {
  const base = globalThis.location?.href;
  return base !== undefined && URL.canParse(endpoint, base) && new URL(endpoint, base).origin === location.origin;
}

/**
 * Whether it is certainly of another origin.
 * @param {string} endpoint
 */
function isForeign(endpoint) {
  return URL.canParse(endpoint) && !isOwn(endpoint);
}

/**
 * @param {unknown} body
 * @returns {Promise<Uint8Array<ArrayBuffer>>} `body` as JSON; rejects when it is more than a server takes
 */
export async function encoded(body) {
  const bytes = await inSlices(encodedJson(body));
  if (bytes.length <= BODY_BYTES) return bytes;
  const size = `${bytes.length} of ${BODY_BYTES} bytes`;
  const message = `request too large: ${size}. Ask with shorter prompts, or split them over more calls.`;
  throw providerError(message, { type: "request-too-large", status: 413 });
}

/**
 * POST `body` once.
 * @param {string} endpoint
 * @param {Uint8Array<ArrayBuffer>} body
 * @param {{fetcher: typeof fetch, signal: AbortSignal, idempotencyKey?: string}} options
 * @returns {Promise<Response>} a successful one
 */
export async function request(endpoint, body, { fetcher, signal, idempotencyKey }) {
  // The key names the run: visitors of a static site share no budget of the server. Its CORS allows the header.
  const key = idempotencyKey === undefined ? null : { "idempotency-key": idempotencyKey };
  const headers = { "content-type": "application/json", accept: ACCEPTED, ...key };
  const sent = fetcher(endpoint, { method: "POST", headers, body, signal });
  const response = await sent.catch((error) => unreached(error, endpoint, fetcher));
  if (response.ok && !isPage(response)) return response;
  throw await problemOf(response, { endpoint, bytes: body.length });
}

/**
 * Cancel a request for its user. Its idempotency key protects it from a connection that breaks, and so the server has to
 * be told. It is told also while the page closes.
 * @param {string} endpoint
 * @param {string} idempotencyKey
 * @param {typeof fetch} [fetcher]
 */
export async function cancelRequest(endpoint, idempotencyKey, fetcher = (...request) => fetch(...request)) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ key: idempotencyKey });
  // A server that is gone, or knows no such request, has nothing to cancel; one of another origin answers a preflight.
  await fetcher(`${endpoint}/cancel`, { method: "POST", headers, body, keepalive: true }).catch(() => null);
}

/**
 * @param {unknown} error
 * @param {string} endpoint
 * @param {typeof fetch} fetcher
 * @returns {Promise<never>} a failure of the network is named as one
 */
async function unreached(error, endpoint, fetcher) {
  if (!(error instanceof TypeError)) throw error;
  if (isForeign(endpoint)) {
    const origin = globalThis.location?.origin ?? "this page's origin";
    const remedy =
      `Start it with RLM_ALLOWED_ORIGINS=${origin}. Where it is no pyodide-rlm server, correct the address, or have it allow ` +
      "this page and the headers that are sent.";
    const server = {
      name: "the server",
      remedy,
      type: "server-unreachable",
      alive: new URL("../healthz", endpoint).href,
    };
    throw Object.assign(await unreachedFault(endpoint, error, server, fetcher), { cause: error });
  }
  const isOffline = globalThis.navigator?.onLine === false;
  const message = isOffline
    ? "the browser is offline, and the server cannot be reached. Connect it again."
    : `the server cannot be reached (${error.message}). Is it running?`;
  const fault = providerError(message, { type: isOffline ? "offline" : "server-unreachable", retryable: true });
  throw Object.assign(fault, { cause: error });
}

// ----------------------------------------------------------------------------------------------------------- problems

/**
 * @param {Response} response
 * @param {{endpoint: string, bytes: number}} request size of its body
 */
async function problemOf(response, { endpoint, bytes }) {
  const text = await received(response.text());
  const retryAfter = secondsOf(response.headers.get("retry-after"));
  const { status } = response;
  const problem = parsed(text);
  const isElsewhere = isPage(response) && isForeign(endpoint) && !response.redirected; // a sign-in is redirected to
  const wrong = isElsewhere
    ? wrongEndpointFault(endpoint, "a web page comes in place of a reply", status)
    : wrongEndpoint(endpoint, { status, problem });
  if (wrong !== null) return wrong;
  if (problem !== null) return problemError(problem, { status, retryAfter });
  const ofProxy = faultOfProxy(response, { bytes, retryAfter });
  if (ofProxy !== null) return ofProxy;
  const message = `the server answered ${status} ${response.statusText}`.trim();
  return providerError(message, { type: "http-error", retryable: MAY_PASS.includes(status), status, retryAfter });
}

/**
 * @param {string} text
 * @returns {object | null}
 */
function parsed(text) {
  const value = jsonIn(text);
  return typeof value === "object" ? value : null;
}

/**
 * @param {unknown} problem a problem object of the server's wire
 * @param {{status?: number, retryAfter?: number | null}} [response] known facts of it
 */
function problemError(problem, { status: httpStatus, retryAfter = null } = {}) {
  const { type, title, detail, retryable, upstream, ...rest } = fieldsOf(problem);
  const sentence = [title, detail].filter((part) => typeof part === "string" && part !== "").join(": ");
  const status = typeof rest.status === "number" ? rest.status : (httpStatus ?? null);
  const mayPass = httpStatus !== undefined && MAY_PASS.includes(httpStatus);
  return providerError(sentence || `the server answered ${status ?? "with an error"}`, {
    type: typeof type === "string" && type !== "" ? type.slice(type.lastIndexOf("/") + 1) : "http-error",
    retryable: typeof retryable === "boolean" ? retryable : mayPass,
    status,
    upstream: typeof upstream === "string" ? upstream : null,
    retryAfter: typeof rest.retry_after === "number" && rest.retry_after >= 0 ? rest.retry_after : retryAfter,
    attempts: Number.isSafeInteger(rest.attempts) ? Math.max(1, Number(rest.attempts)) : 1,
  });
}

/**
 * The seconds of a Retry-After header, which holds them or a date.
 * @param {string | null} header
 */
function secondsOf(header) {
  if (header === null) return null;
  if (/^\s*\d{1,6}(\.\d+)?\s*$/.test(header)) return Number(header);
  const until = Date.parse(header);
  return Number.isNaN(until) ? null : Math.max(0, (until - Date.now()) / 1_000);
}

// ------------------------------------------------------------------------------------------------------------ replies

export function cutOff() {
  return providerError("the server's reply was cut off. Ask again.", { type: "reply-cut-off", retryable: true });
}

/**
 * @param {Response} response server-sent events, or one JSON object from an endpoint that does not stream
 * @param {object} reader
 * @param {Take} reader.take
 * @param {(text: string) => void} reader.write takes each piece of the text as it comes
 * @param {(text: string) => void} reader.think takes each piece of the reasoning that the model shows
 */
export async function readSingle(response, { take, write, think }) {
  if (isJson(response)) return takeReply(take, 0, await jsonOf(response));
  /** @type {string[]} */
  const deltas = [];
  /** @type {string[]} */
  const thoughts = [];
  for await (const value of eventsOf(bodyOf(response))) {
    const event = fieldsOf(value);
    if (typeof event.delta === "string") {
      deltas.push(event.delta);
      write(event.delta);
    } else if (typeof event.reasoning === "string") {
      thoughts.push(event.reasoning);
      think(event.reasoning);
    } else if (event.done === true)
      return takeReply(take, 0, { ...event, text: deltas.join(""), reasoning: thoughts.join("") });
    else if ("error" in event) return take(0, toReply(event));
  }
}

/**
 * @param {Response} response lines in order of completion, or one JSON object from an endpoint that does not stream
 * @param {object} reader
 * @param {number} reader.count of the prompts
 * @param {Take} reader.take
 */
export async function readBatch(response, { count, take }) {
  const lines = isJson(response) ? itemsOf(await jsonOf(response), count) : valuesOf(bodyOf(response));
  for await (const value of lines) {
    const item = fieldsOf(value);
    if (item.done === true) return;
    const index = Number(item.index);
    if (!(Number.isInteger(index) && index >= 0 && index < count))
      throw malformed(`the server answered prompt ${item.index} of ${count}`);
    takeReply(take, index, item);
  }
}

/**
 * @param {Take} take
 * @param {number} index
 * @param {unknown} value
 */
function takeReply(take, index, value) {
  take(index, toReply(value), fieldsOf(value).from_store === true);
}

/** @param {string} message */
function malformed(message) {
  return providerError(message, { type: "reply-malformed" });
}

/** @param {Response} response */
function isJson(response) {
  return (response.headers.get("content-type") ?? "").split(";")[0].trim() === "application/json";
}

/** @param {Response} response */
async function jsonOf(response) {
  return parseJson(await received(response.text()));
}

/** @param {Response} response */
function bodyOf(response) {
  if (response.body === null) throw cutOff();
  return response.body;
}

/**
 * The items of a batch that came as one object: a missing one will not come.
 * @param {unknown} reply
 * @param {number} count
 */
const itemsOf = function* (reply, count) {
  const { results, errors, finish_reasons, from_store } = fieldsOf(reply);
  const failed = (Array.isArray(errors) ? errors : []).map((error) => ({ index: fieldsOf(error).index, error }));
  yield* failed;
  const texts = Array.isArray(results) ? results : [];
  const reasons = Array.isArray(finish_reasons) ? finish_reasons : [];
  const stored = Array.isArray(from_store) ? from_store : [];
  for (let index = 0; index < count; index += 1) {
    if (!failed.some((item) => item.index === index))
      yield { index, text: texts[index], finish_reason: reasons[index], from_store: stored.includes(index) };
  }
};

/**
 * @param {unknown} value
 * @returns {Completion | ProviderError}
 */
function toReply(value) {
  const { text, model, usage, finish_reason, reasoning, error } = fieldsOf(value);
  if (error !== undefined) return problemError(error);
  if (typeof text !== "string") return malformed(`the server's reply holds no text. ${REMEDY}`);
  const reason = FINISH_REASONS.find((known) => known === finish_reason) ?? null;
  return {
    text,
    model: typeof model === "string" ? model : "",
    usage: toUsage(usage),
    finish_reason: reason,
    reasoning: typeof reasoning === "string" && reasoning !== text ? reasoning : "",
  };
}

/**
 * @param {unknown} value
 * @returns {ModelUsage}
 */
function toUsage(value) {
  const { calls, cost, ...tokens } = fieldsOf(value);
  /**
   * @param {unknown} count
   * @param {number} otherwise
   */
  const number = (count, otherwise) =>
    typeof count === "number" && Number.isFinite(count) && count >= 0 ? count : otherwise;
  return {
    calls: number(calls, 1),
    input_tokens: number(tokens.input_tokens, 0),
    output_tokens: number(tokens.output_tokens, 0),
    cached_tokens: number(tokens.cached_tokens, 0),
    cost: typeof cost === "number" && Number.isFinite(cost) && cost >= 0 ? cost : null,
  };
}
