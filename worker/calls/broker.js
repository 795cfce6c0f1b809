// @ts-check
// Broker: answers the worker's requests for model calls through the endpoint, or a provider of the page.
//
// In: the JSON body of a `complete` request. Out: one frame per call, in order of completion, then the answer's end.
// A root call is one POST answered by server-sent events, any other one POST answered whole, a batch one POST answered
// line by line: fan-out is left to the server. Retryable failures are retried (retries.js) one by one: replies that have arrived stay. It counts usage,
// because the worker's own count is not to be trusted. It records nothing: see recorder.js.

import { cancelRequest, cutOff, encoded, isOwn, readBatch, readSingle, request } from "./endpoint.js";
import { callStopped, channelError, protocolError, providerError, toWireError } from "../wire/errors.js";
import { pauseIfLong } from "../time/pause.js";
import { parseRequest } from "../wire/complete_request.js";
import { numbersAmongEqual } from "../wire/equal_calls.js";
import { encodeFrame } from "../wire/frames.js";
import { UNKNOWN_USAGE, UNNAMED, spend } from "../wire/usage.js";
import { withTexts } from "../wire/texts_beside.js";
import { follow, openAhead } from "./ahead.js";
import { sentImages, withImages } from "./images.js";
import { openIdleTimeout } from "./idle_timeout.js";
import { isAway } from "./proxies.js";
import { UNREACHED, openRetries } from "./retries.js";
import { openReplyPieces } from "./reply_pieces.js";

/**
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").Completion} Completion
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {import("../wire/types.d.ts").Witness} Witness
 * @typedef {import("./endpoint.js").ProviderError} ProviderError
 */

/**
 * One POST: the calls that it carries, by their indexes in the request.
 * @typedef {{body: {[key: string]: unknown}, indexes: number[], batch: boolean}} Post
 */

/** @typedef {(index: number, outcome: Outcome) => void} Settle */

/**
 * The calls that left and were not answered, by index; false where the endpoint was not even reached.
 * @typedef {Map<number, boolean>} Sent
 */

/**
 * The pieces of a root call for whoever watches: of its reply, and of the reasoning that its model shows.
 * @typedef {Record<"text" | "reasoning", ReturnType<typeof openReplyPieces>>} Pieces
 */

/**
 * The state that the POSTs of one request share.
 * @typedef {{kind: Kind | null, calls: RequestedCall[], nth: number[], signal: AbortSignal, idempotencyKey?: string, settle: Settle, sent: Sent,
 *   options: import("../wire/types.d.ts").ModelOptions, pieces: Pieces | null}} Shared `kind` is null ahead of a request, `nth`
 *   tells which of the equal calls of the whole request each one is
 */

const BATCH_CALLS = 1_000;
/** Types of faults after which a call may still be at work. */
const UNANSWERED = [...UNREACHED, "server-away", "reply-cut-off", "server-silent", "provider-silent"];
const BATCH_CHARS = 16 << 20;
const PARALLEL_POSTS = 4;
const STOPPED = callStopped();
/** One for all calls: to make an error takes as long as to send a short call. */
const UNANSWERED_FAULT = cutOff();
/** A provider of the page has an idle timeout for each call; this is the longest that a timer knows. */
const NEVER_MS = 2 ** 31 - 1;

/**
 * @param {object} options
 * @param {string} options.endpoint
 * @param {import("../wire/types.d.ts").PageProvider | null} [options.provider] answers in place of the endpoint
 * @param {Witness} options.witness
 * @param {typeof fetch} [options.fetcher]
 * @param {Partial<Parameters<typeof openRetries>[0]>} [options.waits] for tests: how it waits between attempts
 * @param {number} [options.idleMs] idle timeout of the endpoint
 * @param {typeof cancelRequest} [options.cancel]
 * @param {((kind: Kind | null) => Promise<void> | null) | null} [options.written] what calls wait for before they leave: their
 *   log on disk
 * @param {boolean} [options.overlap] whether sub-calls may leave while the root's reply is still being written
 */
export function openBroker({
  endpoint,
  provider = null,
  witness,
  fetcher = (...args) => fetch(...args),
  waits,
  idleMs = provider === null ? undefined : NEVER_MS,
  cancel = cancelRequest,
  written = null,
  overlap = false,
}) {
  /** @type {Usage} */
  const usage = {};
  /** @type {Usage} */
  const stored = {};
  const closing = new AbortController();
  const retries = openRetries({ isKnown: provider === null && isOwn(endpoint), onNotice: witness.noticed, ...waits });
  /** @type {typeof fetch} */
  const fetchAnswered = async (...request) => {
    const response = await fetcher(...request);
    if (!isAway(response)) retries.answered();
    return response;
  };

  /**
   * Send `post` until each of its calls has come to an end.
   * @param {Post} post
   * @param {Shared} shared
   */
  const send = async (post, shared) => {
    const { calls, nth, signal, settle } = shared;
    const attempts = retries.attempts();
    for (let left = post, isRepeated = false; ; isRepeated = true) {
      const failed = await sendOnce(left, shared, isRepeated);
      if (failed.size === 0) return;
      const fault = longestWait([...failed.values()]);
      if (!(await attempts.next(fault, { calls: failed.size, signal })))
        return failed.forEach((error, index) => settle(index, { error: toWireError(error) }));
      left = post.batch ? batchPost({ calls, nth }, [...failed.keys()]) : post;
    }
  };

  /**
   * Send `post` once, and settle its calls, but for retryable failures.
   * @param {Post} post
   * @param {Shared} shared
   * @param {boolean} isRepeated a reply that the server kept by then may be one that this session paid for
   * @returns {Promise<Map<number, ProviderError>>} those, by their indexes in the request
   */
  const sendOnce = async ({ body, indexes, batch }, shared, isRepeated) => {
    const { kind, calls, signal, idempotencyKey, settle, sent, pieces, options } = shared;
    const idle = openIdleTimeout(idleMs);
    /** @type {Map<number, ProviderError>} */
    const failed = new Map(indexes.map((index) => [index, UNANSWERED_FAULT]));
    /**
     * @param {number} at
     * @param {Completion | ProviderError} reply
     * @param {boolean} [isStored]
     */
    const take = (at, reply, isStored = false) => {
      idle.reset();
      sent.delete(indexes[at]);
      if (reply instanceof Error && reply.retryable) return void failed.set(indexes[at], reply);
      failed.delete(indexes[at]);
      settle(
        indexes[at],
        reply instanceof Error ? { error: toWireError(reply) } : answered(reply, isStored && !isRepeated),
      );
    };
    /** @type {typeof take} */
    const taken = (at, reply) => {
      if (!(reply instanceof Error)) retries.answered();
      take(at, reply);
    };
    /** @param {keyof Pieces} part */
    const reader = (part) => (/** @type {string} */ text) => {
      idle.reset();
      if (!signal.aborted) pieces?.[part].add(text);
    };
    const readers = { write: reader("text"), think: reader("reasoning") };
    const until = AbortSignal.any([signal, idle.signal]);
    for (const part of Object.values(pieces ?? {})) part.restart();
    /** @type {Parameters<import("../wire/types.d.ts").PageProvider["post"]>[1]["started"]} */
    const started = (at) => void sent.set(indexes[at], true);
    try {
      if (written !== null) await written(kind);
      if (provider !== null) {
        const posted = { calls: indexes.map((index) => calls[index]), options };
        await provider.post(posted, { signal: until, take: taken, write: readers.write, started });
        return failed;
      }
      const sending = { fetcher: fetchAnswered, signal: until, idempotencyKey };
      const bytes = await encoded(withOptions(body, options));
      for (const index of indexes) sent.set(index, true);
      const response = await request(endpoint, bytes, sending);
      await (batch ? readBatch(response, { count: indexes.length, take }) : readSingle(response, { take, ...readers }));
    } catch (error) {
      const fault = isProviderError(error) ? error : providerError(toWireError(error).detail);
      const isLost = UNANSWERED.includes(fault.type); // the server may be at work on them all the same
      for (const index of failed.keys()) {
        const isSent = isLost && sent.has(index);
        take(indexes.indexOf(index), fault);
        if (isSent) sent.set(index, !UNREACHED.includes(fault.type));
      }
    } finally {
      idle.clear();
    }
    return failed;
  };

  /**
   * @param {RequestedCall} call
   * @param {Outcome} outcome
   */
  const count = (call, outcome) => {
    if ("completion" in outcome) {
      spend(usage, outcome.completion.model, outcome.completion.usage);
      if (outcome.fromStore) spend(stored, outcome.completion.model, outcome.completion.usage);
    } else if (outcome.usage) spend(usage, call.model ?? UNNAMED, outcome.usage);
  };
  /** @param {import("./ahead.js").Ahead} ahead */
  const sendAhead = async ({ calls, key: idempotencyKey, abort, sent, settle }) => {
    const options = witness.options?.("sub") ?? {};
    const asked = { calls, nth: numbersAmongEqual(calls.map(textOf)) };
    const shared = { kind: null, ...asked, signal: abort.signal, idempotencyKey, settle, sent, pieces: null, options };
    await inParallel(PARALLEL_POSTS, postsOf("sub", asked), (post) => send(post, shared));
  };
  const ahead =
    overlap && witness.ahead
      ? openAhead({
          witness: witness.ahead,
          send: sendAhead,
          cancel: (key) => void (provider === null && key !== undefined && cancel(endpoint, key)),
          count,
        })
      : null;

  return {
    /** @type {import("../wire/types.d.ts").Handler} */
    async handle(body, answer, data) {
      const { kind, calls: requested } = parseRequest(body, answer.value);
      await pauseIfLong(charsOf(requested));
      const calls = await withImages(requested, data);
      if (kind !== "sub") ahead?.drop();
      const known = (kind === "sub" && (await ahead?.take(calls))) || null;
      if (closing.signal.aborted) return;
      const first = known === null ? witness.started(kind, calls) : known.used();
      const mayBeAhead = ahead !== null && kind === "sub";
      const key = (mayBeAhead ? answer.aheadKey?.() : undefined) ?? answer.idempotencyKey?.(first);
      if (kind === "root") ahead?.rootOpens();
      const pieces = isWatched(kind, calls)
        ? {
            text: openReplyPieces((at, text) => {
              witness.replyPiece(first, { at, text });
              if (ahead !== null) answer.piece?.({ at, text });
            }),
            reasoning: openReplyPieces((at, text) => witness.reasoningPiece(first, { at, text })),
          }
        : null;
      const settle = settler(calls.length, (index, outcome) => {
        for (const kind of Object.values(pieces ?? {})) kind.end();
        if (kind === "root") ahead?.rootEnds();
        count(calls[index], outcome);
        witness.finished(first + index, outcome);
        answer.write(encodeFrame(index, outcome));
      });
      const signal = AbortSignal.any([answer.signal, closing.signal]);
      const idempotencyKey = known?.key ?? key;
      /** @type {Sent} */
      const sent = known?.sent ?? new Map();
      const stopAll = () => {
        known?.abort.abort();
        if (provider === null && sent.size > 0 && idempotencyKey !== undefined) void cancel(endpoint, idempotencyKey);
        calls.forEach((_, index) =>
          settle(index, sent.get(index) ? { error: STOPPED, usage: UNKNOWN_USAGE } : { error: STOPPED }),
        );
      };
      signal.addEventListener("abort", stopAll);
      if (signal.aborted) stopAll();
      if (known !== null) await follow(known, settle);
      const denied = (known === null && (await witness.leave?.({ first, kind, calls, signal }))) || null;
      const asked = { calls, nth: answer.nth ?? numbersAmongEqual(calls.map(textOf)) };
      const posts = known === null && denied === null ? postsOf(kind, asked) : [];
      if (denied !== null) calls.forEach((_, index) => settle(index, { error: denied }));
      const options = witness.options?.(kind) ?? {};
      const shared = { kind, ...asked, signal, idempotencyKey, settle, sent, pieces, options };
      await inParallel(PARALLEL_POSTS, posts, (post) => send(post, shared));
      signal.removeEventListener("abort", stopAll); // else it would hold the request until the run ends
      answer.end();
    },
    /**
     * @param {import("../wire/protocol.js").CallsAhead} message
     * @param {(body: string, value: unknown) => Promise<string | null>} expected idempotency key of a request that a block
     *   will make; null: its answer is known
     */
    ahead(message, expected) {
      if (ahead === null) throw channelError("unexpected message ahead");
      const size = message.data.reduce((sum, { byteLength }) => sum + byteLength, message.body.length);
      if (!ahead.takes(size)) return;
      const { value, data } = withTexts(JSON.parse(message.body), message.data);
      const { kind, calls } = parseRequest(message.body, value);
      if (kind !== "sub" || data.length > 0) throw protocolError("calls ahead are sub-calls of text.");
      ahead.begin(calls, expected(message.body, value));
    },
    /** Model name -> its usage so far. */
    usage: () => structuredClone(usage),
    /** Of it, the replies that the server had kept: an earlier session paid for them. */
    stored: () => structuredClone(stored),
    /** Abort the open requests: each call has ended, as stopped, when this returns. */
    close() {
      ahead?.drop();
      closing.abort();
    },
  };
}

/**
 * @param {Completion} completion
 * @param {boolean} fromStore
 * @returns {Outcome}
 */
function answered(completion, fromStore) {
  return fromStore ? { completion, fromStore } : { completion };
}

/** @param {import("../wire/protocol.js").RequestedCall[]} calls */
function charsOf(calls) {
  return calls.reduce((sum, { messages }) => messages.reduce((all, { content }) => all + content.length, sum), 0);
}

/**
 * Each index settles once; a later outcome for it is dropped.
 * @param {number} count
 * @param {Settle} settle
 * @returns {Settle}
 */
function settler(count, settle) {
  const open = new Set(Array(count).keys());
  return (index, outcome) => {
    if (open.delete(index)) settle(index, outcome);
  };
}

// ------------------------------------------------------------------------------------------------------------ request

/**
 * Whether the reply is shown while it is written.
 * @param {import("../wire/types.d.ts").Kind} kind
 * @param {RequestedCall[]} calls
 */
function isWatched(kind, calls) {
  return kind === "root" && calls.length === 1;
}

/**
 * Bare prompts to the same model, with the same schema, travel together, all others alone. A single one that is the rest of
 * a request and has an equal one before it in that is a batch, which alone can say so.
 * @param {import("../wire/types.d.ts").Kind} kind
 * @param {Pick<Shared, "calls" | "nth">} asked
 * @returns {Post[]}
 */
function postsOf(kind, asked) {
  const { calls, nth } = asked;
  /** @param {RequestedCall} call */
  const bare = (call) => kind === "sub" && call.messages.length === 1;
  /** @param {RequestedCall} call */
  const isAlike = ({ model, schema }) => model === calls[0].model && schema === calls[0].schema;
  const together = (calls.length > 1 || nth[0] > 0) && calls.every((call) => bare(call) && isAlike(call));
  if (together) return batches(calls).map((indexes) => batchPost(asked, indexes));
  return calls.map((call, index) => {
    const content = bare(call) ? { prompt: call.messages[0].content } : { messages: call.messages };
    const stream = isWatched(kind, calls);
    const images = call.pictures === undefined ? {} : { images: sentImages(call) };
    return { body: { ...content, ...images, ...settingsOf(call), stream }, indexes: [index], batch: false };
  });
}

/**
 * @param {Pick<Shared, "calls" | "nth">} asked
 * @param {number[]} indexes
 * @returns {Post}
 */
function batchPost({ calls, nth }, indexes) {
  const prompts = indexes.map((index) => calls[index].messages[0].content);
  const isText = indexes.every((index) => calls[index].pictures === undefined);
  const images = isText ? {} : { images: indexes.map((index) => sentImages(calls[index])) };
  const here = numbersAmongEqual(indexes.map((index) => textOf(calls[index])));
  const isWhole = indexes.every((index, at) => nth[index] === here[at]);
  const own = { ...images, ...(isWhole ? {} : { nth: indexes.map((index) => nth[index]) }), ...settingsOf(calls[0]) };
  return { body: { type: "batch", prompts, ...own, stream: true }, indexes, batch: true };
}

/**
 * The same of calls that are equal for the server, beside model and schema.
 * @param {RequestedCall} call
 */
function textOf(call) {
  const content = call.messages[call.messages.length - 1]?.content ?? "";
  return call.pictures === undefined ? content : JSON.stringify([content, sentImages(call)]);
}

/**
 * @param {Post["body"]} body
 * @param {Shared["options"]} options
 */
function withOptions(body, options) {
  return Object.keys(options).length === 0 ? body : { ...body, options };
}

/** @param {RequestedCall} requestedCall */
function settingsOf({ model, schema }) {
  return { ...(model === null ? {} : { model }), ...(schema ? { schema: JSON.parse(schema) } : {}) };
}

/**
 * Indexes in groups that one POST may carry, by number and by size.
 * @param {RequestedCall[]} calls
 */
function batches(calls) {
  /** @type {number[][]} */
  const groups = [];
  let chars = Infinity;
  calls.forEach(({ messages, pictures = [] }, index) => {
    const size = pictures.reduce((sum, { base64 }) => sum + (base64?.length ?? 0), messages[0].content.length);
    if (chars + size > BATCH_CHARS || groups[groups.length - 1].length === BATCH_CALLS) {
      groups.push([]);
      chars = 0;
    }
    groups[groups.length - 1].push(index);
    chars += size;
  });
  return groups;
}

/**
 * @param {unknown} error
 * @returns {error is ProviderError}
 */
function isProviderError(error) {
  return error instanceof Error && error.name === "ProviderError";
}

/**
 * Of faults that came together, the one with the longest wait.
 * @param {ProviderError[]} faults
 */
function longestWait(faults) {
  return faults.reduce((one, other) => ((other.retryAfter ?? 0) > (one.retryAfter ?? 0) ? other : one));
}

/**
 * @template T
 * @param {number} most
 * @param {T[]} items
 * @param {(item: T) => Promise<void>} work never rejects
 */
async function inParallel(most, items, work) {
  const left = items.values();
  await Promise.all(
    Array.from({ length: most }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
