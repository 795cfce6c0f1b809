// @ts-check
// Calls ahead: sub-calls that leave while the root's reply that makes them is still being written.
//
// In: requests that the worker expects its blocks to make, and then those that they make. Out: for an equal request the call
// that is under way, or its outcome; at the end of the iteration those that no block made are cancelled, counted, and
// recorded as unused. Until its request is made a call is in the ledger and in the limits, and in no event but a notice.

import { callStopped } from "../wire/errors.js";
import { MAX_MESSAGE_CHARS } from "../wire/protocol.js";
import { UNKNOWN_USAGE } from "../wire/usage.js";

/**
 * @typedef {import("../wire/types.d.ts").HostCall} HostCall
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").SentAhead} SentAhead
 * @typedef {import("../wire/types.d.ts").Witness} Witness
 * @typedef {(index: number, outcome: Outcome) => void} Settle
 */

/**
 * A request that left ahead, or is about to.
 * @typedef {object} Ahead
 * @property {HostCall[]} calls
 * @property {string | undefined} key its idempotency key, once it leaves
 * @property {AbortController} abort
 * @property {Map<number, boolean>} sent calls that left and were not answered; false where the endpoint was not reached
 * @property {Map<number, Outcome>} outcomes
 * @property {Settle} settle
 * @property {Promise<SentAhead | null>} leaving null: it may not leave ahead
 * @property {SentAhead | null} left
 * @property {Promise<void>} done
 */

/** As in rlm_core/overlap.py. */
const MAX_REQUESTS = 64;
const MAX_CALLS = 1_000;
/** Of all requests that leave ahead of one reply: what the page holds of a worker that sends more than it should. */
const MAX_BYTES = 2 * MAX_MESSAGE_CHARS;

/**
 * @param {object} options
 * @param {Required<Witness>["ahead"]} options.witness
 * @param {(ahead: Ahead) => Promise<void>} options.send sends the calls, and settles each; never rejects
 * @param {(key: string | undefined) => void} options.cancel
 * @param {(call: HostCall, outcome: Outcome) => void} options.count counts the usage of an unused call
 */
export function openAhead({ witness, send, cancel, count }) {
  /** @type {Ahead[]} */
  let waiting = [];
  let isOpen = false;
  let requests = 0;
  let calls = 0;
  let bytes = 0;
  /** Whether all so far could leave: no call overtakes one that a limit holds back. */
  let mayLeave = Promise.resolve(true);

  /**
   * @param {HostCall[]} wanted
   * @param {Promise<string | null>} key
   * @param {AbortSignal} signal
   */
  const leave = (wanted, key, signal) => {
    const before = Promise.all([mayLeave, key]);
    const left = before
      .then(([may, name]) => (may && name !== null ? witness.leave(wanted, signal) : null))
      .catch(() => null); // its request is refused again, with the reason
    mayLeave = Promise.all([before, left]).then(
      ([[may, name], sent]) => may && (name === null || sent !== null),
      () => false,
    );
    return left;
  };
  /**
   * @param {Ahead} ahead
   * @param {Promise<string | null>} key
   */
  const start = async (ahead, key) => {
    ahead.left = await ahead.leaving;
    if (ahead.left !== null) ahead.key = (await key) ?? undefined;
    if (ahead.left !== null && !ahead.abort.signal.aborted) await send({ ...ahead, settle: settled(ahead) });
  };
  /**
   * @param {Ahead} ahead
   * @param {SentAhead} left
   */
  const record = (ahead, left) => {
    const ended = ahead.calls.map((_, index) => ahead.outcomes.get(index) ?? stopped(ahead.sent.get(index) ?? false));
    ahead.calls.forEach((call, index) => count(call, ended[index]));
    witness.unused(ahead.calls, ended, left);
  };
  /** @param {Ahead} ahead */
  const drop = (ahead) => {
    ahead.abort.abort();
    if (ahead.sent.size > 0) cancel(ahead.key);
    if (ahead.left !== null) record(ahead, ahead.left);
    else void ahead.leaving.then((left) => left !== null && record(ahead, left));
  };

  return {
    /** A root call is open: from here on calls may leave ahead of its reply. */
    rootOpens() {
      [isOpen, requests, calls, bytes] = [true, 0, 0, 0];
      mayLeave = Promise.resolve(true);
    },
    /** Its reply is there. */
    rootEnds: () => void (isOpen = false),
    /**
     * Whether a further request of so many bytes is looked at.
     * @param {number} size
     */
    takes(size) {
      requests += 1;
      bytes += size;
      return isOpen && requests <= MAX_REQUESTS && bytes <= MAX_BYTES;
    },
    /**
     * @param {HostCall[]} wanted
     * @param {Promise<string | null>} key its idempotency key; null: it need not leave
     */
    begin(wanted, key) {
      calls += wanted.length;
      if (calls > MAX_CALLS) return;
      const abort = new AbortController();
      /** @type {Ahead} */
      const ahead = {
        ...{ calls: wanted, key: undefined, abort, sent: new Map(), outcomes: new Map() },
        settle: () => {},
        leaving: leave(wanted, key, abort.signal),
        left: null,
        done: Promise.resolve(),
      };
      ahead.done = start(ahead, key);
      waiting.push(ahead);
    },
    /**
     * The request that left ahead and is equal to that of a block, which makes it now; null: there is none.
     * @param {HostCall[]} wanted
     */
    async take(wanted) {
      const ahead = waiting.find((ahead) => isEqual(ahead.calls, wanted));
      const left = await ahead?.leaving;
      if (ahead === undefined || !waiting.includes(ahead)) return null; // the run may have ended meanwhile
      waiting.splice(waiting.indexOf(ahead), 1);
      return left ? Object.assign(ahead, { used: () => witness.used(wanted, left) }) : null;
    },
    /** The iteration is over, or the run: no block makes the requests that are left. */
    drop() {
      const unused = waiting;
      waiting = [];
      unused.forEach(drop);
    },
  };
}

/**
 * The outcomes of a request go to `settle` from here on; resolves when it has them all.
 * @param {Ahead} ahead
 * @param {Settle} settle
 */
export function follow(ahead, settle) {
  ahead.settle = settle;
  ahead.outcomes.forEach((outcome, index) => settle(index, outcome));
  return ahead.done;
}

/**
 * @param {Ahead} ahead
 * @returns {Settle}
 */
function settled(ahead) {
  return (index, outcome) => {
    if (ahead.outcomes.has(index)) return;
    ahead.outcomes.set(index, outcome);
    ahead.settle(index, outcome);
  };
}

/**
 * @param {boolean} isSent whether it may have been at work
 * @returns {Outcome}
 */
function stopped(isSent) {
  return isSent ? { error: callStopped(), usage: UNKNOWN_USAGE } : { error: callStopped() };
}

/**
 * Whether two requests have the same answer.
 * @param {HostCall[]} one
 * @param {HostCall[]} other
 */
function isEqual(one, other) {
  return one.length === other.length && one.every((call, index) => isSameCall(call, other[index]));
}

/**
 * @param {HostCall} one
 * @param {HostCall} other
 */
function isSameCall(one, other) {
  const isText = one.pictures === undefined && other.pictures === undefined;
  const isAlike = one.model === other.model && (one.schema ?? null) === (other.schema ?? null);
  const isAsLong = one.messages.length === other.messages.length;
  return (
    isText && isAlike && isAsLong && one.messages.every((message, at) => isSameMessage(message, other.messages[at]))
  );
}

/**
 * @param {import("../wire/protocol.js").Message} one
 * @param {import("../wire/protocol.js").Message} other
 */
function isSameMessage(one, other) {
  return one.role === other.role && one.content === other.content;
}
