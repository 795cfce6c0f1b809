// @ts-check
// Ledger: what text left the tab, where it went, and how much of the context was in it.
//
// In: the contexts of a run, and its model calls. Out: for each call its size and the spans of the context that it holds,
// and the sums of all. One ledger serves a tree of runs, or a session; it belongs to the host, so that no worker can
// forge it. What it can see is text that stands in a call as it stands in the context, in pieces of at least 32 bytes.
//
// The context is read and indexed when the first call is weighed, in slices, as everything here.

import { charsIn, readCorpus, spansIn, united } from "./context_index.js";
import { openCover } from "./range_union.js";
import { inSlices } from "../time/time_slices.js";

/**
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/protocol.js").Span} Span
 * @typedef {import("./context_index.js").Corpus} Corpus
 * @typedef {import("./context_index.js").Unsearched} Unsearched
 * @typedef {{chars: number, bytes: number, spans: Span[], contextChars: number}} Weight of one call, or one message
 * @typedef {Map<string, Weight>} Known messages that were weighed before, by their text
 * @typedef {ReturnType<typeof openLedger>} Ledger
 * @typedef {ReturnType<Ledger["summary"]>} Summary
 */

/** @param {{to: string}} options `to` is the origin that calls are sent to */
export function openLedger({ to }) {
  /** @type {Array<() => Promise<Corpus & {unsearched: Unsearched[]}>>} */
  const corpora = [];
  /** @type {Map<string, ReturnType<typeof openCover>>} */
  const covers = new Map();
  const sums = { calls: 0, denied: 0, bytes: 0, chars: 0, contextChars: 0 };
  /** @type {Unsearched[]} */
  const unsearched = [];
  let contextSize = 0;
  let added = 0;
  let last = Promise.resolve();

  const coverOf = (/** @type {string} */ name) => {
    const cover = covers.get(name) ?? openCover();
    covers.set(name, cover);
    return cover;
  };

  return {
    to,
    /** The contexts of a question, beside those before; the first question without one is its own. */
    add(/** @type {JobContext[]} */ given) {
      const number = added;
      if (number === 0 || given.length > 0) added += 1;
      if (given.length === 0) return;
      const contexts =
        number === 0 ? given : given.map((context) => ({ ...context, name: laterName(context, number) }));
      /** @type {ReturnType<typeof readCorpus> | null} */
      let corpus = null;
      const read = async () => {
        const done = await readCorpus(contexts);
        contextSize += done.parts.reduce((sum, { size }) => sum + size, 0);
        unsearched.push(...done.unsearched);
        return done;
      };
      corpora.push(() => (corpus ??= read()));
    },
    /**
     * Do `work` after all that was given before.
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
    /** Resolves when all that was given so far is done. */
    settled: () => last,
    /**
     * @param {RequestedCall[]} calls
     * @param {Known} known takes the messages of these calls, which a later call may hold again
     * @returns {Promise<Weight[]>}
     */
    async weigh(calls, known) {
      const read = await Promise.all(corpora.map((corpus) => corpus()));
      return inSlices(weights(read, calls, known));
    },
    /** How many characters of the context would leave for the first time. */
    gain(/** @type {Span[]} */ spans) {
      /** @type {Map<string, ReturnType<typeof openCover>>} */
      const more = new Map();
      let sum = 0;
      for (const { name, start, end } of spans) {
        const cover = more.get(name) ?? openCover();
        more.set(name, cover);
        for (const [from, upTo] of coverOf(name).gaps(start, end)) sum += cover.add(from, upTo);
      }
      return sum;
    },
    /** A call leaves; returns how many characters of the context do so for the first time. */
    enter(/** @type {Weight} */ { chars, bytes, spans }) {
      const gain = spans.reduce((sum, { name, start, end }) => sum + coverOf(name).add(start, end), 0);
      sums.calls += 1;
      sums.bytes += bytes;
      sums.chars += chars;
      sums.contextChars += gain;
      return gain;
    },
    /** Calls were kept from leaving. */
    refuse: (/** @type {number} */ calls) => void (sums.denied += calls),
    /** What left so far. `share` is `null` where no context was searched. */
    summary: () => ({
      ...sums,
      contextSize,
      share: contextSize === 0 ? null : sums.contextChars / contextSize,
      unsearched: unsearched.map(({ name, why }) => `${name}: ${why}`),
    }),
  };
}

/** What a later context of a session is called in the REPL. */
function laterName(/** @type {JobContext} */ { name, type }, /** @type {number} */ number) {
  return type === "file" ? `context_${number}/${name}` : `context_${number}`;
}

/**
 * @param {Corpus[]} corpora
 * @param {RequestedCall[]} calls
 * @param {Known} known
 * @returns {Generator<void, Weight[], void>}
 */
function* weights(corpora, calls, known) {
  const before = new Map(known);
  known.clear();
  const weighed = [];
  for (const { messages } of calls) {
    const parts = [];
    for (const { content } of messages) {
      const weight = before.get(content) ?? (yield* weightOf(corpora, content));
      known.set(content, weight);
      parts.push(weight);
    }
    weighed.push(sumOf(parts));
    yield;
  }
  return weighed;
}

/** @returns {Generator<void, Weight, void>} */
function* weightOf(/** @type {Corpus[]} */ corpora, /** @type {string} */ text) {
  const encoded = new TextEncoder().encode(text);
  const spans = [];
  for (const corpus of corpora) spans.push(...(yield* spansIn(corpus, text, encoded)));
  return { chars: charsIn(encoded), bytes: encoded.length, spans, contextChars: lengthOf(spans) };
}

/** @returns {Weight} */
function sumOf(/** @type {Weight[]} */ parts) {
  if (parts.length === 1) return parts[0];
  const spans = united(parts.flatMap((part) => part.spans));
  const [chars, bytes] = [
    parts.reduce((sum, part) => sum + part.chars, 0),
    parts.reduce((sum, part) => sum + part.bytes, 0),
  ];
  return { chars, bytes, spans, contextChars: lengthOf(spans) };
}

function lengthOf(/** @type {Span[]} */ spans) {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0);
}
