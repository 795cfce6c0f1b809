// @ts-check
// Request tape: the requests of a run's worker and their answers, so that a later worker of the same run is answered again.
//
// In: requests of whichever worker drives the run. Out: answers, from the record while the requests are equal in their
// order, from a handler afterwards. No call is made twice because an interpreter died. A call's key holds its number among
// the calls of its run, less those that were made again before it: so a call whose line was lost with the browser has the same key,
// whatever child runs did beside it, and calls that left ahead and were not used.

import { protocolError, providerError } from "../wire/errors.js";
import { numbersAmongEqual } from "../wire/equal_calls.js";
import { renumbered, textIn } from "../wire/frames.js";
import { openEntry, played, sinkOf } from "./recorded_request.js";
import { hasMark, markInKey, readRequest } from "./request_mark.js";

/**
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("./recorded_request.js").Entry} Entry
 * @typedef {import("./request_mark.js").WorkerRequest} WorkerRequest
 * @typedef {{op?: unknown, kind?: unknown, calls?: unknown[], children?: unknown[]}} Fields
 * @typedef {{root: Entry, nth: number}} Place of a request: the root call before it, and how many equal requests stand between
 */

/**
 * @param {object} options
 * @param {Readonly<Record<string, Handler>>} options.handlers by `op`: answer what is not in the record
 * @param {string} options.name of the run and its position in the tree, for idempotency keys
 * @param {() => Position | null} options.position of the block that runs now
 * @param {(frames: number) => void} options.onReplayed
 * @param {(rootCalls: number) => void} options.onDifference the worker's request differs from the recorded one; so many
 *   recorded root calls are not used
 * @param {Entry[]} [options.entries] of an earlier session
 * @param {() => number} [options.others] number of calls in the log that are in no request of this run
 */
export function openTape({ handlers, name, position, onReplayed, onDifference, entries = [], others = () => 0 }) {
  let tape = [...entries];
  /** @type {Entry[]} paid answers of blocks that are not run again */
  const spare = [];
  let at = 0;
  let isSealed = false;
  let madeAgain = entries.reduce((sum, { again }) => sum + again, 0);
  /** The last root call. @type {Entry | null} */
  let root = null;
  /** How often the requests since were made, and were expected, by their marks. */
  const made = new Map();
  const expected = new Map();

  /**
   * @param {Entry} entry
   * @param {WorkerRequest} request
   * @returns {Place | null}
   */
  const placeOf = (entry, request) => {
    if (!entry.isRoot) return root === null ? null : { root, nth: counted(made, request.mark()) };
    root = entry;
    made.clear();
    expected.clear();
    return null;
  };
  /**
   * The idempotency key of calls that may leave before their request is made: a later session, which knows nothing of them,
   * makes the request under the same one.
   * @param {Place} place
   * @param {string} mark
   */
  const aheadKey = (place, mark) => `${name}/${place.root.number}/ahead/${place.nth}/${markInKey(mark)}`;
  /** @param {WorkerRequest} request */
  const isHeld = (request) =>
    [...tape.slice(at), ...spare].some((entry) => entry.end?.ok !== false && entry.matches(request));

  /**
   * The entry that answers `request`: the next of the record, a spare one, or none.
   * @param {WorkerRequest} request
   */
  const recorded = (request) => {
    const next = tape[at];
    if (next?.matches(request)) return next;
    const entry = takeSpare(request);
    if (entry !== null || next === undefined) return entry;
    diverge();
    return takeSpare(request);
  };
  /** @param {WorkerRequest} request */
  const takeSpare = (request) => {
    const index = spare.findIndex((entry) => entry.end?.ok !== false && entry.matches(request));
    if (index === -1) return null;
    const [entry] = spare.splice(index, 1);
    entry.position = position();
    tape.splice(at, 0, entry);
    return entry;
  };
  const diverge = () => {
    const unused = tape.splice(at);
    spare.push(...unused);
    onDifference(unused.filter(({ isRoot }) => isRoot).length);
  };
  /** @param {WorkerRequest} request */
  const begin = (request) => {
    const mark = request.mark();
    const { op, kind } = fieldsOf(request);
    const isRoot = op === "complete" && kind === "root";
    const entry = openEntry((other) => hasMark(other, mark), { isRoot, position: position() });
    tape.push(entry);
    return entry;
  };
  /**
   * @param {Entry} entry
   * @param {WorkerRequest} request
   * @param {Place | null} place
   * @param {{indexes?: number[], again?: number[], nth?: number[]}} [part] the indexes that its parts have in the whole
   *   request
   */
  const ask = async (entry, { body, data, mark, value }, place, { indexes, again, nth } = {}) => {
    const keys = {
      /** @param {number} call */
      idempotencyKey: (call) => `${name}/${(entry.number ??= call - others() - madeAgain)}`,
      ...(place === null ? {} : { aheadKey: () => aheadKey(place, mark()) }),
    };
    const sink = sinkOf(entry);
    /** @param {Uint8Array} frame */
    const write = (frame) => sink.write(indexes ? renumbered(frame, indexes) : frame);
    try {
      await handlerOf(handlers, value)(body, { ...sink, write, ...keys, again, nth, mark, value }, data);
      sink.fail(new Error("the host ended this request without an answer"));
    } catch (error) {
      sink.fail(error);
    }
  };
  /**
   * Ask for those parts of a recorded request that have no answer; it joins the frames that are there.
   * @param {Entry} entry
   * @param {WorkerRequest} request
   * @param {Place | null} place
   */
  const askMissing = (entry, request, place) => {
    const { missing, children } = entry;
    Object.assign(entry, { missing: [], end: null });
    if (entry.tool !== null) return void ask(entry, request, place, { again: [] });
    if (children.length === 0) madeAgain += missing.length;
    const again = missing.map((index) => children[index]);
    const calls = numbersAmongEqual((fieldsOf(request).calls ?? []).map((call) => JSON.stringify(call)));
    const nth = missing.map((index) => calls[index] ?? 0);
    void ask(entry, partOf(request, missing), place, { indexes: missing, again, nth });
  };

  return {
    /** @type {Handler} */
    async handle(body, answer, data) {
      const request = await readRequest(body, data, answer);
      if (answer.signal.aborted) return;
      const known = recorded(request);
      if (known === null && isSealed) throw providerError("the question is over: nothing is asked for it any more.");
      const entry = known ?? begin(request);
      at += 1;
      const place = placeOf(entry, request);
      if (known) onReplayed(known.frames.length);
      else void ask(entry, request, place);
      if (known && known.missing.length > 0) askMissing(known, request, place);
      await played(entry, answer);
    },
    /**
     * The idempotency key of a request that a block is expected to make; null: it stands in the record, with its answer.
     * @param {string} body
     * @param {unknown} value
     */
    async expected(body, value) {
      const before = root;
      const request = await readRequest(body, [], { value });
      if (before === null || root !== before || isHeld(request)) return null;
      const mark = request.mark();
      return aheadKey({ root: before, nth: counted(expected, mark) }, mark);
    },
    /** Whether the worker waits for an answer. */
    waits: () => tape[at - 1]?.end === null,
    /** Number of iterations that have asked for their reply. */
    rootCalls: () => tape.slice(0, at).filter(({ isRoot }) => isRoot).length,
    /** Number of all iterations, those included that the next worker has not repeated yet. */
    iterations: () => tape.filter(({ isRoot }) => isRoot).length,
    /** Reply of the last iteration; null while it waits, and when its call failed. */
    reply() {
      const frame = tape.slice(0, at).findLast(({ isRoot }) => isRoot)?.frames[0];
      return frame === undefined ? null : textIn(frame);
    },
    /** The worker is gone; its open requests continue. */
    detach() {
      for (const entry of tape) entry.listener = null;
    },
    /** The run is over: requests beyond the record fail from here on. */
    seal: () => void (isSealed = true),
    /**
     * Back to the beginning, for the next worker.
     * @param {(position: Position | null) => boolean} isLost whether a block is not run again
     */
    rewind(isLost) {
      spare.push(...tape.filter((entry) => isLost(entry.position)));
      tape = tape.filter((entry) => !isLost(entry.position));
      [at, root] = [0, null];
    },
  };
}

/**
 * How often a mark was counted before.
 * @param {Map<string, number>} counts
 * @param {string} mark
 */
function counted(counts, mark) {
  const before = counts.get(mark) ?? 0;
  counts.set(mark, before + 1);
  return before;
}

/**
 * @param {WorkerRequest} workerRequest
 * @returns {Fields}
 */
function fieldsOf({ value }) {
  return Object(value);
}

/** @returns {Handler} */
function handlerOf(
  /** @type {Readonly<Record<string, Handler>>} */ handlers,
  /** @type {WorkerRequest["value"]} */ value,
) {
  const op = String(Object(value).op);
  if (!Object.hasOwn(handlers, op)) throw protocolError(`a request for "${op}".`);
  return handlers[op];
}

/**
 * Those parts of a request that `missing` names, and the bytes beside them; calls name those that they need.
 * @param {WorkerRequest} request
 * @param {number[]} missing
 * @returns {WorkerRequest}
 */
function partOf(request, missing) {
  const fields = fieldsOf(request);
  const name = fields.children === undefined ? "calls" : "children";
  const parts = fields[name] ?? [];
  const value = { ...fields, [name]: missing.map((index) => parts[index]) };
  const { data } = request;
  return {
    ...request,
    value: /** @type {any} */ (value),
    body: JSON.stringify(value),
    data: name === "calls" || data.length === 0 ? data : missing.map((index) => data[index]),
  };
}
