// @ts-check
// Vendor: one streamed request to a vendor's API, straight from the page.
//
// In: URL, headers and body of the request. Out: its reply, in pieces and whole, in any dialect; or a ProviderError. The key
// is in the headers only: nothing here logs or keeps them.

import { received } from "../calls/reply_streams.js";
import { unreachedFault } from "../calls/reachability.js";
import { configError, providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";
import { finishReason, isBroken, partOf } from "./reply_forms.js";
import { DONE, NotJson, vendorEvents } from "./vendor_events.js";
import { failureIn, failureOf } from "./vendor_failures.js";
import { workaroundFor } from "./workarounds.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMProviderReply} RLMProviderReply
 * @typedef {import("./workarounds.js").Body} Body
 * @typedef {import("./workarounds.js").Change} Change
 */

/** Time that a reply may still take after its finish reason, for its usage. */
const GRACE_MS = 2_000;
/** Names of events whose values are no part of a reply. */
const SIGNS_OF_LIFE = ["ping", "heartbeat", "keepalive", "keep-alive"];
/** A prompt of which the model read a smaller share of its words, counted as tokens, was cut by the server. */
const CUT_SHARE = 0.6;
const CUT_WORDS = 2_000;
/** A smaller count is no window's: such a server does not count its tokens. */
const CUT_READ = 256;
/** Most ways round a refusal in one call. */
const MAX_CHANGES = 4;
/** Ways round that are remembered for a model: one for each schema that it refuses. */
const MAX_REMEMBERED = 1_000;
const CORS = "Its API may not be meant for browsers: ask it through a server of yours (pyodide-rlm serve).";

/**
 * A base URL without its last slash, and without the path of a call; its query stays.
 * @param {string} adapter
 * @param {unknown} baseURL
 */
export function checkedBase(adapter, baseURL) {
  const url = typeof baseURL === "string" && URL.canParse(baseURL) ? new URL(baseURL) : null;
  if (url === null || !["https:", "http:"].includes(url.protocol))
    throw configError(`${adapter}: baseURL must be an address such as https://api.example/v1.`);
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/(?:chat\/completions|messages)$/, "");
  return url.search === "" ? url.href.replace(/\/+$/, "") : url.href;
}

/**
 * The address of a call; `{model}` in a base URL is the model's name, as in the deployments of Azure.
 * @param {string} base
 * @param {string} path
 * @param {string} model
 */
export function addressOf(base, path, model) {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/+$/, "").replaceAll("%7Bmodel%7D", encodeURIComponent(model)) + path;
  return url.href;
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
 * @param {object} request
 * @param {Record<string, string>} request.headers
 * @param {Body} request.body
 * @param {AbortSignal} request.signal
 * @param {(text: string) => void} request.onDelta
 * @param {Map<string, Change[]>} request.changes those that this adapter knows, by the model's name
 * @param {typeof fetch} [request.fetcher]
 * @returns {Promise<RLMProviderReply>}
 */
export async function replyTo(url, { body, onDelta, changes, ...request }) {
  const { host } = new URL(url);
  const known = changes.get(body.model) ?? [];
  changes.set(body.model, known);
  for (let tries = 0; ; tries += 1) {
    const posted = known.reduce((changed, change) => change(changed), body);
    const response = await sent(url, { ...request, body: posted });
    if (response.ok) {
      const reply = await read(response, { host, onDelta }).catch((fault) => {
        throw fault instanceof NotJson ? unreadable(host, fault) : fault;
      });
      checkRead(host, posted, reply.usage.input_tokens);
      return reply;
    }
    const status = response.type === "opaqueredirect" ? 302 : response.status;
    const text = await received(response.text());
    const change = tries < MAX_CHANGES ? workaroundFor(posted, status, text) : null;
    if (change === null) throw failureOf(host, { status, body: text, headers: response.headers });
    if (known.length >= MAX_REMEMBERED) known.length = 0;
    known.push(change);
  }
}

/**
 * @param {string} url
 * @param {{headers: Record<string, string>, body: Body, signal: AbortSignal, fetcher?: typeof fetch}} request
 * @returns {Promise<Response>}
 */
function sent(url, { headers, body, signal, fetcher = (...request) => fetch(...request) }) {
  const { host } = new URL(url);
  const coming = fetcher(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal,
    credentials: "omit",
    redirect: "manual", // where it leads, neither key nor prompt were meant to go
    referrerPolicy: "no-referrer",
  });
  return coming.catch(async (error) => {
    if (!(error instanceof TypeError)) throw error;
    throw await unreachedFault(url, error, { name: host, remedy: CORS, type: "upstream-unreachable" }, fetcher);
  });
}

/**
 * @param {Response} response
 * @param {{host: string, onDelta: (text: string) => void}} reader
 * @returns {Promise<RLMProviderReply & {usage: {input_tokens: number}}>}
 */
async function read({ body }, { host, onDelta }) {
  const reply = openReply(onDelta);
  const events = body === null ? [] : vendorEvents(body, () => reply.endsAt);
  try {
    for await (const { value, name } of events) if (reply.take(host, value, name)) break;
  } catch (fault) {
    const isCut = fault instanceof NotJson ? fault.isCut : fieldsOf(fault).type === "reply-cut-off";
    if (!(isCut && reply.isSettled)) throw fault; // else half an event, or a broken connection, behind the end
  }
  if (!reply.isWhole) throw reply.isEmpty ? noReply(host) : cutOff(host);
  return reply.whole();
}

/**
 * A reply as its parts come.
 * @param {(text: string) => void} onDelta
 */
function openReply(onDelta) {
  /** @type {string[]} */
  const texts = [];
  /** @type {string[]} */
  const thoughts = [];
  /** @type {Record<string, number>} */
  const counts = {};
  let [finish, isWhole, isRefused, isSettled, callsTool, half] = ["", false, false, false, false, ""];
  /** @type {string | null} */
  let model = null;
  /** @type {number | null} */
  let choice = null;
  let endsAt = Number.POSITIVE_INFINITY;
  /** A character whose halves come apart waits for its second half. */
  const say = (/** @type {string} */ piece, isLast = false) => {
    const text = half + piece;
    half = isLast ? "" : (/[\ud800-\udbff]$/.exec(text)?.[0] ?? "");
    const whole = text.slice(0, text.length - half.length).toWellFormed();
    if (whole !== "") texts.push(whole);
    onDelta(whole);
  };
  const hasText = () => texts.some((text) => text.trim() !== "");
  const reasonOf = () => {
    const reason = isRefused ? "content_filter" : finishReason(finish);
    const hasCalled = callsTool && !hasText() && (reason === "stop" || reason === null);
    return hasCalled ? "tool_calls" : reason; // some servers say `stop`
  };

  return {
    get endsAt() {
      return endsAt;
    },
    get isWhole() {
      return isWhole;
    },
    /** The same, where the end stands by itself: some servers write a finish reason beside each piece. */
    get isSettled() {
      return isSettled;
    },
    get isEmpty() {
      return texts.length + thoughts.length === 0;
    },
    /**
     * @param {string} host
     * @param {unknown} value
     * @param {string} name of its event
     * @returns {boolean} whether nothing follows
     */
    take(host, value, name) {
      if (value === DONE) [isWhole, isSettled] = [true, true];
      if (value === DONE) return true;
      const fault = failureIn(host, value, name);
      if (fault !== null) throw fault;
      if (SIGNS_OF_LIFE.includes(name) && typeof value !== "object") return false;
      const part = partOf(value);
      if (part === null && SIGNS_OF_LIFE.includes(name)) return false;
      if (part === null || isBroken(part.finish))
        throw part === null ? noReply(host) : failureOf(host, { status: 200, body: "" });
      for (const [name, count] of Object.entries(part.counts)) counts[name] = count || (counts[name] ?? 0);
      model = part.model ?? model;
      choice ??= part.choice;
      if (part.choice !== null && part.choice !== choice) return false; // another of several replies at once
      const said = part.isMessage ? texts.join("") : "";
      const text = part.text.startsWith(said) ? part.text.slice(said.length) : part.text;
      say(text);
      if (part.reasoning !== "") thoughts.push(part.reasoning);
      finish = part.finish || finish;
      isRefused ||= part.isRefusal;
      callsTool ||= part.callsTool;
      isWhole ||= part.isEnd || part.finish !== "" || (part.isMessage && part.text !== "");
      isSettled = text === "" && (isSettled || part.isEnd || part.finish !== "");
      if (finish !== "" && (text !== "" || endsAt === Number.POSITIVE_INFINITY)) endsAt = performance.now() + GRACE_MS;
      return part.isEnd;
    },
    whole() {
      if (half !== "") say("", true);
      const reason = reasonOf();
      const reasoning = thoughts.join("");
      const isAllReasoning = !hasText() && (reason === "stop" || reason === null);
      if (isAllReasoning && reasoning !== "") say(reasoning, true); // of a model that wrote nothing else
      const usage = {
        input_tokens: counts.input ?? 0,
        output_tokens: counts.output ?? 0,
        cached_tokens: counts.cached ?? 0,
        ...("cost" in counts ? { cost: counts.cost } : {}),
      };
      return {
        text: texts.join(""),
        model,
        usage,
        finishReason: reason,
        reasoning: isAllReasoning ? "" : reasoning,
      };
    },
  };
}

/**
 * Refuses a reply to a prompt of which the model read a part only, as Ollama cuts a longer prompt and says nothing.
 * @param {string} host
 * @param {Body} body
 * @param {number} read tokens, as the vendor counted them
 */
function checkRead(host, { messages }, read) {
  if (read < CUT_READ) return;
  const words = messages.reduce((sum, { content }) => sum + JSON.stringify(content).split(/\s+/).length, 0);
  if (words < CUT_WORDS || read >= CUT_SHARE * words) return;
  const sizes = `${read.toLocaleString("en")} of about ${words.toLocaleString("en")} tokens`;
  const remedy = "Raise the model's window at its server, or send less.";
  throw providerError(`${host} read ${sizes} and answered all the same. ${remedy}`, {
    type: "upstream-prompt-cut",
    upstream: host,
  });
}

/**
 * @param {string} host
 * @param {NotJson} fault
 */
function unreadable(host, { message, isPage, isCut }) {
  if (isCut) return cutOff(host);
  const page = "is a web page, perhaps of a portal or proxy that wants a login";
  return providerError(`the reply of ${host} ${isPage ? page : message}. Check the base URL.`, {
    type: "upstream-malformed",
    upstream: host,
  });
}

/** @param {string} host */
function noReply(host) {
  return providerError(`${host} answered with something that is no reply. Check the base URL.`, {
    type: "upstream-malformed",
    upstream: host,
  });
}

/** @param {string} host */
function cutOff(host) {
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
