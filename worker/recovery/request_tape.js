// @ts-check
// Replay: what the worker of a run asked and was answered, so that a later worker of the same run is answered again.
//
// In: requests of whichever worker drives the run. Out: answers, from the record while they are the same as before in
// their order, from `handler` afterwards. A worker may die while it waits: what it asked for goes on and is kept, and
// the next worker joins it. So no call is made twice because an interpreter died.

import { providerError } from "../wire/errors.js";
import { renumbered, textIn } from "../wire/frames.js";

/**
 * @typedef {import("../wire/channel.js").Answer} Answer
 * @typedef {import("../wire/channel.js").Handler} Handler
 * @typedef {import("./position.js").Place} Place
 */

/**
 * One request and what was answered. `missing` are those parts of it (calls, child runs, the function) that nobody
 * answered before the log ends; see resume.js.
 * @typedef {object} Entry
 * @property {(text: string) => boolean} matches
 * @property {number | null} number of its first model call in the log, once that has left
 * @property {number[]} children numbers of the child runs that it asks for, as far as the log tells
 * @property {string | null} tool the function that it calls, as far as the log tells
 * @property {boolean} isRoot whether it is the call of an iteration
 * @property {Place | null} place the block that asked
 * @property {Uint8Array[]} frames
 * @property {number[]} missing
 * @property {{ok: boolean, error: unknown} | null} end
 * @property {Answer | null} listener who waits for it now
 * @property {AbortController} abort
 */

/**
 * A request as it came: `text` is the body with the digests of what goes beside it; `again` says that it was asked for
 * before, and holds the numbers of the child runs in it.
 * @typedef {{text: string, body: string, data: ArrayBuffer[], again?: number[]}} Asked
 */

const ROOT = /^\{"op": ?"complete", ?"kind": ?"root"/; // the bridge writes them first
const TOOL = /^\{"op": ?"tool"/;

/**
 * @param {object} options
 * @param {Handler} options.handler answers what is asked for the first time
 * @param {string} options.name of the run and its place in the tree, for idempotency keys
 * @param {() => Place | null} options.place of the block that runs now
 * @param {(frames: number) => void} options.onReplayed
 * @param {(rootCalls: number) => void} options.onDifference the worker asked for something else than before; so many
 *   recorded root calls are not used
 * @param {(() => Promise<void>) | null} [options.written] resolves when all that was recorded so far is kept
 * @param {Entry[]} [options.entries] of an earlier session
 */
export function openTape({ handler, name, place, onReplayed, onDifference, written = null, entries = [] }) {
  let tape = [...entries];
  /** @type {Entry[]} answers that were paid for in blocks that are not run again */
  const spare = [];
  let at = 0;
  let isSealed = false;

  /** The entry that answers `text`: the next of the record, a spare one, or none. */
  const recorded = (/** @type {string} */ text) => {
    const next = tape[at];
    if (next?.matches(text)) return next;
    const found = takeSpare(text);
    if (found !== null || next === undefined) return found;
    differs();
    return takeSpare(text);
  };
  const takeSpare = (/** @type {string} */ text) => {
    const found = spare.findIndex((entry) => entry.end?.ok !== false && entry.matches(text));
    if (found === -1) return null;
    const [entry] = spare.splice(found, 1);
    entry.place = place();
    tape.splice(at, 0, entry);
    return entry;
  };
  const differs = () => {
    const unused = tape.splice(at);
    spare.push(...unused);
    onDifference(unused.filter(({ isRoot }) => isRoot).length);
  };
  /** @param {Asked} asked */
  const begin = (asked) => {
    const entry = openEntry(sameText(markOf(asked.text)), { isRoot: ROOT.test(asked.body), place: place() });
    tape.push(entry);
    void ask(entry, asked, handler);
    return entry;
  };
  /**
   * @param {Entry} entry
   * @param {Asked} asked
   * @param {Handler} from
   */
  const ask = async (entry, { text, body, data, again }, from) => {
    const idempotencyKey = (/** @type {number} */ call) => `${name}/${(entry.number ??= call)}`;
    const sink = { ...sinkOf(entry, written), idempotencyKey, again, mark: () => markOf(text) };
    try {
      await from(body, sink, data);
      sink.fail(new Error("the host ended this request without an answer"));
    } catch (error) {
      sink.fail(error);
    }
  };
  /** Ask for what nobody answered of a recorded request; it joins the frames that are there. */
  const askMissing = (/** @type {Entry} */ entry, /** @type {Asked} */ asked) => {
    const { missing } = entry;
    Object.assign(entry, { missing: [], end: null });
    const numbered = (/** @type {string} */ body, /** @type {Answer} */ answer, /** @type {ArrayBuffer[]} */ data) =>
      handler(body, { ...answer, write: (frame) => answer.write(renumbered(frame, missing)) }, data);
    const isTool = TOOL.test(asked.body);
    void ask(entry, isTool ? { ...asked, again: [] } : partOf(asked, entry, missing), isTool ? handler : numbered);
  };

  return {
    /** @type {Handler} */
    async handle(body, answer, data) {
      const text = data.length === 0 ? body : body + (await digestsOf(data));
      if (answer.signal.aborted) return;
      const known = recorded(text);
      if (known === null && isSealed) throw providerError("the question is over: nothing is asked for it any more.");
      const entry = known ?? begin({ text, body, data });
      at += 1;
      if (known) onReplayed(known.frames.length);
      if (known && known.missing.length > 0) askMissing(known, { text, body, data });
      await played(entry, answer);
    },
    /** Whether the worker waits for an answer. */
    waits: () => tape[at - 1]?.end === null,
    /** How many iterations have asked for their reply. */
    rootCalls: () => tape.slice(0, at).filter(({ isRoot }) => isRoot).length,
    /** How many iterations there were, also those that the next worker has not come to again. */
    iterations: () => tape.filter(({ isRoot }) => isRoot).length,
    /** What the last iteration got; null while it waits, and when its call failed. */
    reply() {
      const frame = tape.slice(0, at).findLast(({ isRoot }) => isRoot)?.frames[0];
      return frame === undefined ? null : textIn(frame);
    },
    /** The worker is gone; what it waits for is not given up. */
    detach() {
      for (const entry of tape) entry.listener = null;
    },
    /** The run is over: what is not in the record fails from here on. */
    seal: () => void (isSealed = true),
    /**
     * From the beginning, for the next worker.
     * @param {(place: Place | null) => boolean} isLost whether a block is not run again
     */
    rewind(isLost) {
      spare.push(...tape.filter((entry) => isLost(entry.place)));
      tape = tape.filter((entry) => !isLost(entry.place));
      at = 0;
    },
  };
}

/**
 * @param {(text: string) => boolean} matches
 * @param {{isRoot?: boolean, place: Place | null, number?: number | null, children?: number[]}} asked
 * @returns {Entry}
 */
export function openEntry(matches, { isRoot = false, place, number = null, children = [] }) {
  return {
    matches,
    number,
    children,
    tool: null,
    isRoot,
    place,
    frames: [],
    missing: [],
    end: null,
    listener: null,
    abort: new AbortController(),
  };
}

/** Resolves when `answer` has all of `entry`, or nobody waits for it any more. */
function played(/** @type {Entry} */ entry, /** @type {Answer} */ answer) {
  return new Promise((/** @type {(_: void) => void} */ resolve) => {
    const gone = () => {
      if (entry.listener === listener && entry.end === null) entry.abort.abort();
      resolve();
    };
    /** @type {Answer} */
    const listener = {
      ...answer,
      end: () => resolve(answer.end()),
      fail: (error) => resolve(answer.fail(error)),
    };
    entry.frames.forEach((frame) => answer.write(frame));
    entry.listener = listener;
    answer.signal.addEventListener("abort", gone, { once: true });
    if (entry.end !== null) tellEnd(entry);
  });
}

function tellEnd(/** @type {Entry} */ { end, listener }) {
  if (end?.ok) listener?.end();
  else listener?.fail(end?.error);
}

/**
 * Where the answer to a new request goes: into its entry, and on to who waits for it once it is kept.
 * @param {Entry} entry
 * @param {(() => Promise<void>) | null} written
 * @returns {Answer}
 */
function sinkOf(entry, written) {
  let sending = Promise.resolve();
  const whenWritten = (/** @type {() => void} */ send) => {
    if (written === null) send();
    else sending = Promise.all([sending, written()]).then(send, send);
  };
  const finish = (/** @type {{ok: boolean, error: unknown}} */ end) => {
    whenWritten(() => {
      if (entry.end !== null) return;
      entry.end = end;
      tellEnd(entry);
    });
  };
  return {
    signal: entry.abort.signal,
    write: (bytes) =>
      whenWritten(() => {
        entry.frames.push(bytes);
        entry.listener?.write(bytes);
      }),
    end: () => finish({ ok: true, error: null }),
    fail: (error) => finish({ ok: false, error }),
    progress: () => {},
  };
}

/**
 * Those parts of a request that `missing` names, and what goes beside them.
 * @param {Asked} asked
 * @param {Entry} entry
 * @param {number[]} missing
 * @returns {Asked}
 */
function partOf({ text, body, data }, { children }, missing) {
  const request = JSON.parse(body);
  const parts = "children" in request ? "children" : "calls";
  const left = JSON.stringify({ ...request, [parts]: missing.map((index) => request[parts][index]) });
  const beside = data.length === 0 ? data : missing.map((index) => data[index]);
  return { text, body: left, data: beside, again: missing.map((index) => children[index]) };
}

/** What goes beside a body, as text that tells it apart. */
async function digestsOf(/** @type {ArrayBuffer[]} */ data) {
  const digests = await Promise.all(data.map((bytes) => crypto.subtle.digest("SHA-256", bytes)));
  return digests.map((digest) => ` ${new BigUint64Array(digest).join(".")}`).join("");
}

/** Whether a later request is the same text; its mark is kept, not the text. */
export function sameText(/** @type {string} */ mark) {
  return (/** @type {string} */ other) => mark.startsWith(`${other.length}-`) && markOf(other) === mark;
}

/** A request as the log tells it apart from the others of its run. */
function markOf(/** @type {string} */ text) {
  return `${text.length}-${hashOf(text).toString(36)}`;
}

/** 53 bits of a text: enough to tell the requests of one run apart, and no secret. */
export function hashOf(/** @type {string} */ text) {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
