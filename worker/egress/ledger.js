// @ts-check
// Ledger: the text that left the tab, its destination, and the parts of the context in it.
//
// In: the contexts of a run, and its model calls. Out: for each call its size and the spans of the context that it holds,
// and the sums of all. One ledger serves a tree of runs, or a session; it belongs to the host, so that no worker can
// forge it. It sees text that stands in a call as it stands in the context, in pieces of at least 32 bytes.
//
// The context is read and indexed when the first call is weighed, or before it, in slices, as everything here.

import { charsIn, indexContexts, spansIn, united } from "./context_index.js";
import { openSpanUnion } from "./range_union.js";
import { tokensOf } from "../wire/image_facts.js";
import { encodedText } from "../time/long_text.js";
import { inSlices } from "../time/time_slices.js";

/**
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/protocol.js").Span} Span
 * @typedef {import("../wire/types.d.ts").RLMDestination} RLMDestination
 * @typedef {import("./context_index.js").ContextIndex} ContextIndex
 * @typedef {import("./context_index.js").Unsearched} Unsearched
 * @typedef {{chars: number, bytes: number, spans: Span[], contextChars: number, images: number, imageBytes: number,
 *   imageTokens: number}} Weight of one call, or one message; of `bytes`, `imageBytes` are those of images
 * @typedef {Map<string, Weight>} Known messages that were weighed before, by their text
 * @typedef {ReturnType<typeof openLedger>} Ledger
 * @typedef {ReturnType<Ledger["summary"]>} Summary
 */

/**
 * Calls to one destination, and the parts of the context that left for it.
 * @typedef {object} Account
 * @property {RLMDestination} destination
 * @property {number} calls
 * @property {number} chars
 * @property {number} bytes
 * @property {number} contextChars
 * @property {number} images
 * @property {number} imageBytes
 * @property {number} imageTokens
 * @property {ReturnType<typeof openSpanUnion>} sent
 */

const NO_IMAGES = { images: 0, imageBytes: 0, imageTokens: 0 };
const COUNTED_BYTES = 1 << 18;

/** @param {{destinations: import("./destinations.js").Destinations}} options */
export function openLedger({ destinations }) {
  /** @type {Array<() => Promise<ContextIndex & {unsearched: Unsearched[]}>>} */
  const indexes = [];
  /** @type {Map<string, Account>} */
  const accounts = new Map();
  const sent = openSpanUnion();
  const sums = { calls: 0, denied: 0, unused: 0, bytes: 0, chars: 0, contextChars: 0, ...NO_IMAGES };
  /** @type {Unsearched[]} */
  const unsearched = [];
  let contextSize = 0;
  let searched = 0;
  let added = 0;
  let last = Promise.resolve();

  /**
   * @param {RLMDestination} destination
   * @returns {Account}
   */
  const accountOf = (destination) => {
    const nothing = { calls: 0, chars: 0, bytes: 0, contextChars: 0, ...NO_IMAGES };
    const none = { destination, ...nothing, sent: openSpanUnion() };
    const account = accounts.get(destination.to) ?? none;
    accounts.set(destination.to, account);
    return account;
  };

  const allIndexes = () => Promise.all(indexes.map((index) => index()));

  return {
    destinations,
    /**
     * The contexts of a question, beside those before; the first question without one is its own.
     * @param {JobContext[]} contexts
     */
    add(contexts) {
      const number = added;
      if (number === 0 || contexts.length > 0) added += 1;
      if (contexts.length === 0) return;
      const named = contexts.map((context) => (number === 0 ? context : laterContext(context, number)));
      /** @type {ReturnType<typeof indexContexts> | null} */
      let index = null;
      indexes.push(() => (index ??= indexContexts(named)));
    },
    /** Read and index now, beside the worker that reads the same, for a call that comes. A fault is left to that call. */
    prepare: () => void allIndexes().catch(() => {}),
    /**
     * Do `work` after all work before it.
     * @template T
     * @param {() => Promise<T>} work
     * @returns {Promise<T>}
     */
    inTurn(work) {
      const turn = last.then(work);
      last = turn.then(
        () => {},
        () => {},
      );
      return turn;
    },
    /** Resolves when all work so far is done. */
    settled: () => last,
    /**
     * @param {RequestedCall[]} calls
     * @param {Known} known takes the messages of these calls, which a later call may hold again
     * @returns {Promise<Weight[]>}
     */
    async weigh(calls, known) {
      const read = await allIndexes();
      for (const { parts, unsearched: left } of read.slice(searched)) {
        contextSize += parts.reduce((sum, { size }) => sum + size, 0);
        unsearched.push(...left);
      }
      searched = Math.max(searched, read.length);
      return inSlices(weights(read, calls, known));
    },
    /**
     * How many characters of the context calls would take to their destinations for the first time.
     * @param {Weight[]} weights
     * @param {RLMDestination[]} to one for each
     */
    gain(weights, to) {
      const gains = [...new Set(to.map(accountOf))].map((account) =>
        account.sent.gain(weights.flatMap(({ spans }, index) => (accountOf(to[index]) === account ? spans : []))),
      );
      return gains.reduce((sum, gain) => sum + gain, 0);
    },
    /**
     * A call leaves; returns how many characters of the context leave for this destination for the first time.
     * @param {Weight} weight
     * @param {RLMDestination} destination
     */
    enter({ chars, bytes, spans, images, imageBytes, imageTokens }, destination) {
      const account = accountOf(destination);
      const gain = account.sent.add(spans);
      for (const one of [sums, account]) {
        one.calls += 1;
        one.bytes += bytes;
        one.chars += chars;
        one.images += images;
        one.imageBytes += imageBytes;
        one.imageTokens += imageTokens;
      }
      account.contextChars += gain;
      sums.contextChars += sent.add(spans);
      return gain;
    },
    /** Characters of the context that left, each counted once for each destination; of images, four a token. */
    spent: () =>
      [...accounts.values()].reduce((sum, { contextChars, imageTokens }) => sum + contextChars + 4 * imageTokens, 0),
    /**
     * Calls were kept from leaving.
     * @param {number} calls
     */
    refuse: (calls) => void (sums.denied += calls),
    /**
     * Calls left ahead of their request, and it was not made: they are among those that left.
     * @param {number} calls
     */
    countUnused: (calls) => void (sums.unused += calls),
    /** The sums so far. `share` is `null` where no context was searched. */
    summary: () => ({
      ...sums,
      destinations: [...accounts.values()].flatMap(({ destination, sent: _, ...counts }) =>
        counts.calls === 0 ? [] : [{ ...destination, ...counts }],
      ),
      contextSize,
      share: contextSize === 0 ? null : sums.contextChars / contextSize,
      unsearched: unsearched.map(({ name, why }) => `${name}: ${why}`),
    }),
  };
}

/**
 * A later context of a session, by its name in the REPL.
 * @param {JobContext} context
 * @param {number} number
 * @returns {JobContext}
 */
function laterContext(context, number) {
  const name = context.type === "file" ? `context_${number}/${context.name}` : `context_${number}`;
  return { ...context, name };
}

/**
 * @param {ContextIndex[]} indexes
 * @param {RequestedCall[]} calls
 * @param {Known} known
 * @returns {Generator<void, Weight[], void>}
 */
function* weights(indexes, calls, known) {
  const before = new Map(known);
  known.clear();
  const weighed = [];
  for (const { messages, pictures = [] } of calls) {
    const parts = [];
    for (const { content } of messages) {
      const weight = before.get(content) ?? (yield* weightOf(indexes, content));
      known.set(content, weight);
      parts.push(weight);
    }
    weighed.push(withImages(sumOf(parts), pictures));
    yield;
  }
  return weighed;
}

/**
 * @param {ContextIndex[]} indexes
 * @param {string} text
 * @returns {Generator<void, Weight, void>}
 */
function* weightOf(indexes, text) {
  const encoded = yield* encodedText(text);
  const spans = [];
  for (const index of indexes) for (const span of yield* spansIn(index, text, encoded)) spans.push(span);
  const chars = yield* countedChars(encoded);
  return { chars, bytes: encoded.length, spans, contextChars: lengthOf(spans), ...NO_IMAGES };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Generator<void, number, void>}
 */
function* countedChars(bytes) {
  let chars = 0;
  for (let from = 0; from < bytes.length; from += COUNTED_BYTES) {
    chars += charsIn(bytes, from, Math.min(from + COUNTED_BYTES, bytes.length));
    yield;
  }
  return chars;
}

/**
 * @param {Weight[]} parts
 * @returns {Weight}
 */
function sumOf(parts) {
  if (parts.length === 1) return parts[0];
  const spans = united(parts.flatMap((part) => part.spans));
  const [chars, bytes] = [
    parts.reduce((sum, part) => sum + part.chars, 0),
    parts.reduce((sum, part) => sum + part.bytes, 0),
  ];
  return { chars, bytes, spans, contextChars: lengthOf(spans), ...NO_IMAGES };
}

/**
 * The weight of a call with its images.
 * @param {Weight} weight of its text
 * @param {import("../wire/types.d.ts").CallImage[]} pictures
 * @returns {Weight}
 */
function withImages(weight, pictures) {
  const imageBytes = pictures.reduce((sum, { bytes }) => sum + bytes, 0);
  const imageTokens = pictures.reduce((sum, image) => sum + tokensOf(image), 0);
  return { ...weight, bytes: weight.bytes + imageBytes, images: pictures.length, imageBytes, imageTokens };
}

/** @param {Span[]} spans */
function lengthOf(spans) {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0);
}
