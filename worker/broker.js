// @ts-check
// Broker: answers the worker's requests for model calls through the endpoint.
//
// In: the JSON body of a `complete` request. Out: one frame per call, in order of completion, then the answer's end.
// One call is one POST answered by server-sent events, a batch is one POST answered line by line: fan-out is left to
// the server. It counts usage, because the worker's own count is not to be trusted. It records nothing: see recorder.js.

import { protocolError, providerError, toWireError } from "./errors.js";
import { COMPLETE_SCHEMA, FRAME_ERROR, FRAME_HEADER_BYTES, FRAME_OK } from "./protocol.js";
import { mismatch } from "./schema.js";
import { eventsOf, valuesOf } from "./streams.js";
import { added } from "./tree.js";

/**
 * @typedef {import("./protocol.js").CompleteRequest} CompleteRequest
 * @typedef {import("./protocol.js").ModelUsage} ModelUsage
 * @typedef {import("./protocol.js").RequestedCall} RequestedCall
 * @typedef {import("./protocol.js").WireError} WireError
 * @typedef {import("./channel.js").Answer} Answer
 * @typedef {{text: string, model: string, usage: ModelUsage}} Completion
 * @typedef {{completion: Completion} | {error: WireError}} Outcome
 */

/**
 * What the host wants to know, and may forbid. `started` returns the number of the first call, or throws to refuse.
 * @typedef {object} Witness
 * @property {(kind: "root" | "sub", calls: RequestedCall[]) => number} started
 * @property {(call: number, outcome: Outcome) => void} finished
 */

/**
 * One POST: the calls that it carries, by their place in the request.
 * @typedef {{body: {[key: string]: unknown}, indexes: number[], batch: boolean}} Post
 */

/** @typedef {(index: number, outcome: Outcome) => void} Settle */

const BATCH_CALLS = 1_000;
const BATCH_CHARS = 16 << 20;
const BODY_BYTES = 64 << 20;
const LONG_CHARS = 1 << 20;
const PARALLEL_POSTS = 4;
const RETRY_MS = [200, 800];
const STOPPED = { error: toWireError(providerError("the call was stopped")) };

/**
 * @param {object} options
 * @param {string} options.endpoint
 * @param {Witness} options.witness
 * @param {typeof fetch} [options.fetcher]
 * @param {(milliseconds: number) => Promise<void>} [options.pause]
 */
export const openBroker = ({ endpoint, witness, fetcher = (...args) => fetch(...args), pause = sleep }) => {
  /** @type {Record<string, ModelUsage>} */
  const usage = {};
  const closing = new AbortController();

  /**
   * @param {Post} post
   * @param {{signal: AbortSignal, ticket?: string}} answer
   * @param {Settle} settle
   */
  const send = async (post, { signal, ticket }, settle) => {
    try {
      const response = await request(endpoint, post.body, { fetcher, pause, signal, ticket });
      await (post.batch ? readBatch : readSingle)(response, post.indexes, settle);
      throw providerError("the server's reply was cut off. Ask again.", { retryable: true });
    } catch (error) {
      for (const index of post.indexes) settle(index, { error: toWireError(unreachable(error)) });
    }
  };

  return {
    /** @type {import("./channel.js").Handler} */
    async handle(body, answer) {
      const { kind, calls } = parseRequest(body);
      await breath(body.length);
      if (closing.signal.aborted) return;
      const first = witness.started(kind, calls);
      const settle = settler(calls.length, (index, outcome) => {
        if ("completion" in outcome) count(usage, outcome.completion);
        witness.finished(first + index, outcome);
        answer.write(encodeFrame(index, outcome));
      });
      const signal = AbortSignal.any([answer.signal, closing.signal]);
      signal.addEventListener("abort", () => calls.forEach((_, index) => settle(index, STOPPED)));
      await inParallel(PARALLEL_POSTS, postsOf(kind, calls), (post) => send(post, { signal, ticket: answer.ticket }, settle));
      answer.end();
    },
    /** Model name -> what it used so far. */
    usage: () => structuredClone(usage),
    /** Abort what is under way: it has ended, as stopped, when this returns. */
    close: () => closing.abort(),
  };
};

/**
 * @param {number} index
 * @param {Outcome} outcome
 */
export const encodeFrame = (index, outcome) => {
  const failed = "error" in outcome;
  const { text, ...answered } = failed ? { text: "" } : outcome.completion;
  const encoder = new TextEncoder();
  const meta = encoder.encode(JSON.stringify(failed ? outcome.error : answered));
  const body = encoder.encode(text);
  const frame = new Uint8Array(FRAME_HEADER_BYTES + meta.length + body.length);
  const header = new DataView(frame.buffer);
  [index, failed ? FRAME_ERROR : FRAME_OK, meta.length, body.length].forEach((word, at) =>
    header.setUint32(4 * at, word, true),
  );
  frame.set(meta, FRAME_HEADER_BYTES);
  frame.set(body, FRAME_HEADER_BYTES + meta.length);
  return frame;
};

/** @returns {CompleteRequest} */
const parseRequest = (/** @type {string} */ body) => {
  const value = /** @type {unknown} */ (JSON.parse(body));
  const wrong = mismatch(COMPLETE_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  return /** @type {CompleteRequest} */ (value);
};

/**
 * Each index settles once; what comes later for it is dropped.
 * @param {number} count
 * @param {Settle} settle
 * @returns {Settle}
 */
const settler = (count, settle) => {
  const open = new Set(Array(count).keys());
  return (index, outcome) => {
    if (open.delete(index)) settle(index, outcome);
  };
};

// ------------------------------------------------------------------------------------------------------------ request

/**
 * Bare prompts to the same model travel together; what cannot goes alone.
 * @param {"root" | "sub"} kind
 * @param {RequestedCall[]} calls
 * @returns {Post[]}
 */
const postsOf = (kind, calls) => {
  const bare = (/** @type {RequestedCall} */ call) => kind === "sub" && call.messages.length === 1;
  const together = calls.length > 1 && calls.every((call) => bare(call) && call.model === calls[0].model);
  if (together) return batches(calls).map((indexes) => batchPost(calls, indexes));
  return calls.map((call, index) => {
    const content = bare(call) ? { prompt: call.messages[0].content } : { messages: call.messages };
    return { body: { ...content, ...modelOf(call), stream: true }, indexes: [index], batch: false };
  });
};

/** @returns {Post} */
const batchPost = (/** @type {RequestedCall[]} */ calls, /** @type {number[]} */ indexes) => {
  const prompts = indexes.map((index) => calls[index].messages[0].content);
  return { body: { type: "batch", prompts, ...modelOf(calls[0]), stream: true }, indexes, batch: true };
};

const modelOf = (/** @type {RequestedCall} */ { model }) => (model === null ? {} : { model });

/** Indexes in groups that one POST may carry, by number and by size. */
const batches = (/** @type {RequestedCall[]} */ calls) => {
  /** @type {number[][]} */
  const groups = [];
  let chars = Infinity;
  calls.forEach(({ messages }, index) => {
    const size = messages[0].content.length;
    if (chars + size > BATCH_CHARS || groups[groups.length - 1].length === BATCH_CALLS) {
      groups.push([]);
      chars = 0;
    }
    groups[groups.length - 1].push(index);
    chars += size;
  });
  return groups;
};

/**
 * POST `body` as JSON. A network failure is tried again; a response of any kind is not.
 * @param {string} endpoint
 * @param {unknown} body
 * @param {{fetcher: typeof fetch, pause: (milliseconds: number) => Promise<void>, signal: AbortSignal, ticket?: string}} options
 * @returns {Promise<Response>} a successful one
 */
const request = async (endpoint, body, { fetcher, pause, signal, ticket }) => {
  const text = JSON.stringify(body);
  await breath(text.length);
  const encoded = new TextEncoder().encode(text);
  await breath(text.length);
  if (encoded.length > BODY_BYTES) throw providerError(tooLarge(encoded.length), { status: 413 });
  const known = ticket !== undefined && isOwn(endpoint) ? { "idempotency-key": ticket } : null;
  const headers = { "content-type": "application/json", ...known };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await fetcher(endpoint, { method: "POST", headers, body: encoded, signal });
      if (response.ok) return response;
      throw await problemOf(response);
    } catch (error) {
      if (!(error instanceof TypeError) || attempt >= RETRY_MS.length || signal.aborted) throw error;
      await pause(RETRY_MS[attempt]);
    }
  }
};

/** Another origin would have to allow the header that names a call; ours knows it, and answers the same call once. */
const isOwn = (/** @type {string} */ endpoint) =>
  globalThis.location !== undefined && new URL(endpoint, location.href).origin === location.origin;

const tooLarge = (/** @type {number} */ bytes) =>
  `request too large: ${bytes} of ${BODY_BYTES} bytes. Ask with shorter prompts, or split them over more calls.`;

const problemOf = async (/** @type {Response} */ response) => {
  const text = await response.text();
  try {
    return problemError(JSON.parse(text), response.status);
  } catch (fault) {
    if (!(fault instanceof SyntaxError)) throw fault;
    return providerError(`the server answered ${response.status} ${response.statusText}`.trim(), {
      status: response.status,
    });
  }
};

/**
 * @param {unknown} problem a problem object of the server's wire
 * @param {number | null} status
 */
const problemError = (problem, status) => {
  const { title, detail, retryable, upstream, ...rest } = /** @type {Record<string, unknown>} */ (Object(problem));
  const sentence = [title, detail].filter((part) => typeof part === "string" && part !== "").join(": ");
  return providerError(sentence || `the server answered ${status ?? "with an error"}`, {
    retryable: retryable === true,
    status: typeof rest.status === "number" ? rest.status : status,
    upstream: typeof upstream === "string" ? upstream : null,
  });
};

/** A failure of the network is named as one; all others are told already. */
const unreachable = (/** @type {unknown} */ error) => {
  if (!(error instanceof TypeError)) return error;
  const told = providerError(`the server cannot be reached (${error.message}). Is it running?`, { retryable: true });
  return Object.assign(told, { cause: error });
};

// -------------------------------------------------------------------------------------------------------------- reply

const isJson = (/** @type {Response} */ response) =>
  (response.headers.get("content-type") ?? "").split(";")[0].trim() === "application/json";

const bodyOf = (/** @type {Response} */ response) => {
  if (response.body === null) throw providerError("the server's reply is empty", { retryable: true });
  return response.body;
};

/**
 * @param {Response} response server-sent events, or one JSON object from an endpoint that does not stream
 * @param {number[]} indexes
 * @param {Settle} settle
 */
const readSingle = async (response, [index], settle) => {
  if (isJson(response)) return settle(index, toOutcome(await response.json()));
  /** @type {string[]} */
  const deltas = [];
  for await (const value of eventsOf(bodyOf(response))) {
    const event = /** @type {Record<string, unknown>} */ (Object(value));
    if (typeof event.delta === "string") deltas.push(event.delta);
    else if (event.done === true) return settle(index, toOutcome({ ...event, text: deltas.join("") }));
    else if ("error" in event) return settle(index, toOutcome(event));
  }
};

/**
 * @param {Response} response lines in order of completion, or one JSON object from an endpoint that does not stream
 * @param {number[]} indexes
 * @param {Settle} settle
 */
const readBatch = async (response, indexes, settle) => {
  const lines = isJson(response) ? itemsOf(await response.json()) : valuesOf(bodyOf(response));
  for await (const value of lines) {
    const item = /** @type {Record<string, unknown>} */ (Object(value));
    if (item.done === true) return;
    const index = indexes[Number(item.index)];
    if (index === undefined) throw providerError(`the server answered prompt ${item.index} of ${indexes.length}`);
    settle(index, toOutcome(item));
  }
};

/** The items of a batch that came as one object. */
const itemsOf = function* (/** @type {unknown} */ reply) {
  const { results, errors } = /** @type {{results?: unknown, errors?: unknown}} */ (Object(reply));
  for (const error of Array.isArray(errors) ? errors : []) yield { index: Object(error).index, error };
  for (const [index, text] of (Array.isArray(results) ? results : []).entries()) {
    if (typeof text === "string") yield { index, text };
  }
};

/** @returns {Outcome} */
const toOutcome = (/** @type {unknown} */ value) => {
  const { text, model, usage, error } = /** @type {Record<string, unknown>} */ (Object(value));
  if (error !== undefined) return { error: toWireError(problemError(error, null)) };
  if (typeof text !== "string") return { error: toWireError(providerError("the server's reply holds no text")) };
  return { completion: { text, model: typeof model === "string" ? model : "", usage: toUsage(usage) } };
};

/** @returns {ModelUsage} */
const toUsage = (/** @type {unknown} */ value) => {
  const { calls, cost, ...tokens } = /** @type {Record<string, unknown>} */ (Object(value));
  const number = (/** @type {unknown} */ given, /** @type {number} */ otherwise) =>
    typeof given === "number" && Number.isFinite(given) && given >= 0 ? given : otherwise;
  return {
    calls: number(calls, 1),
    input_tokens: number(tokens.input_tokens, 0),
    output_tokens: number(tokens.output_tokens, 0),
    cached_tokens: number(tokens.cached_tokens, 0),
    cost: typeof cost === "number" && Number.isFinite(cost) && cost >= 0 ? cost : null,
  };
};

/**
 * @param {Record<string, ModelUsage>} usage
 * @param {Completion} completion
 */
const count = (usage, { model, usage: used }) => {
  usage[model] = usage[model] ? added(usage[model], used) : used;
};

/**
 * @template T
 * @param {number} most
 * @param {T[]} items
 * @param {(item: T) => Promise<void>} work never rejects
 */
const inParallel = async (most, items, work) => {
  const left = items.values();
  await Promise.all(
    Array.from({ length: most }, async () => {
      for (const item of left) await work(item);
    }),
  );
};

/** After work on a long text, let the page do what waits for it: each step of a request is a task of its own. */
const breath = (/** @type {number} */ chars) => (chars > LONG_CHARS ? sleep(0) : undefined);

const sleep = (/** @type {number} */ milliseconds) =>
  new Promise((/** @type {(_: void) => void} */ done) => {
    setTimeout(done, milliseconds);
  });
