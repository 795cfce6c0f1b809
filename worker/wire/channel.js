// @ts-check
// Channel: how a worker asks and waits in shared memory, and how the host's states reach it. All Atomics of the project.
//
// In, worker side: the JSON text of a request. Out: states, and the bytes of the reply chunk by chunk.
// In, host side: a state and bytes. Out: the same in shared memory; a waiting worker always wakes.
// The same without shared memory is in message_channel.js, the answer to a request in answering_end.js.
//
// The host treats the shared memory as write-only: it reads nothing but the results of compareExchange.

import { postRequest, textReader } from "./message_channel.js";
import {
  WORKER_HEARTBEAT_MS,
  CHANNEL_BYTES,
  CHUNK,
  CHUNK_BYTES,
  ERROR,
  FUTEX_WORD,
  INTERRUPTED,
  LAST,
  LENGTH_WORD,
  PAYLOAD_OFFSET,
  PENDING,
  PIECE,
  PROGRESS,
  REASON_WORD,
  SEQUENCE_MASK,
  SIGINT,
  HOST_IDLE_TIMEOUT_MS,
  STATE_BITS,
  STOP_BLOCK,
  TIMED_OUT,
  WAIT_SLICE_MS,
} from "./protocol.js";

/**
 * @typedef {import("./types.d.ts").Line} Line
 * @typedef {import("./types.d.ts").Post} Post
 */

/**
 * @template S
 * @typedef {import("./types.d.ts").WaitingEnd<S>} WaitingEnd
 */

/** New memory for one worker: the channel's own and the interrupt flag. */
export function sharedMemory() {
  return {
    channel: new SharedArrayBuffer(CHANNEL_BYTES),
    interrupt: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
  };
}

/** Whether this thread may block; false on a page's main thread and where shared memory is broken. */
export function canWait() {
  try {
    return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10) === "timed-out";
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError) return false;
    throw error;
  }
}

/**
 * The interrupt flag as Pyodide wants it, and how to clear it.
 * @param {SharedArrayBuffer} interrupt
 */
export function interruptFlag(interrupt) {
  const { store } = Atomics;
  const flag = new Int32Array(interrupt);
  return { flag, clear: () => void store(flag, 0, 0) };
}

// ---------------------------------------------------------------------------------------------- worker: shared memory

/**
 * @param {object} options
 * @param {SharedArrayBuffer} options.channel
 * @param {SharedArrayBuffer} options.interrupt
 * @param {number} options.epoch
 * @param {Post} options.post
 * @param {number} [options.idleTimeoutMs] of the host, in milliseconds actually waited
 * @param {() => boolean} [options.inBlock] whether a block runs: an interrupt of a block comes too late otherwise
 * @returns {WaitingEnd<number>}
 */
export function waitingEnd({
  channel,
  interrupt,
  epoch,
  post,
  idleTimeoutMs = HOST_IDLE_TIMEOUT_MS,
  inBlock = () => true,
}) {
  const { compareExchange, load, store, wait } = Atomics;
  const words = new Int32Array(channel);
  const flag = new Int32Array(interrupt);
  const payload = copier(channel);
  const textOf = textReader();
  const slice = Math.min(WAIT_SLICE_MS, idleTimeoutMs);
  const now = performance.now.bind(performance);
  let sequence = 0;

  /** @param {number} state */
  const word = (state) => (sequence << STATE_BITS) | state;

  const take = () => payload(Math.min(load(words, LENGTH_WORD), CHUNK_BYTES));
  const stopReason = () => load(words, REASON_WORD);
  const interrupted = () => {
    if (load(flag, 0) === 0) return false;
    if (inBlock() || stopReason() !== STOP_BLOCK) return true;
    store(flag, 0, 0);
    return false;
  };

  /** The thread sleeps at once: where it looks for an answer first, the page's thread has to be woken on another core. */
  const waitForState = () => {
    const pending = word(PENDING);
    let sinceBeat = 0;
    for (let idle = 0; idle < idleTimeoutMs; ) {
      if (interrupted()) return INTERRUPTED;
      const current = load(words, FUTEX_WORD);
      const state = current - pending;
      if (state === CHUNK || state === LAST || state === ERROR || state === INTERRUPTED || state === PIECE)
        return state;
      if (state === PROGRESS) {
        compareExchange(words, FUTEX_WORD, current, pending);
        idle = 0;
        continue;
      }
      if (wait(words, FUTEX_WORD, pending, slice) === "ok") continue;
      idle += slice;
      sinceBeat += slice;
      if (sinceBeat < WORKER_HEARTBEAT_MS) continue;
      sinceBeat = 0;
      post({ type: "heartbeat", epoch });
    }
    return TIMED_OUT;
  };

  return {
    request(body, ...views) {
      if (interrupted()) return INTERRUPTED;
      sequence = (sequence + 1) & SEQUENCE_MASK;
      store(words, FUTEX_WORD, word(PENDING));
      postRequest(post, { type: "request", epoch, sequence, body }, views);
      return waitForState();
    },
    next() {
      store(words, FUTEX_WORD, word(PENDING));
      post({ type: "ack", epoch, sequence });
      return waitForState();
    },
    take,
    text: () => textOf(take()),
    pause(milliseconds) {
      const until = now() + milliseconds;
      for (let left = milliseconds; left > 0; left = until - now()) {
        if (interrupted()) return INTERRUPTED;
        wait(words, FUTEX_WORD, load(words, FUTEX_WORD), Math.min(left, WAIT_SLICE_MS));
      }
      return interrupted() ? INTERRUPTED : LAST;
    },
    stop_reason: stopReason,
  };
}

/**
 * Copies bytes out of shared memory by functions captured now, which model code cannot replace later.
 * @param {SharedArrayBuffer} channel
 */
function copier(channel) {
  const Bytes = Uint8Array;
  const { apply } = Reflect;
  const set = Bytes.prototype.set;
  return (/** @type {number} */ length) => {
    const bytes = new Bytes(length);
    apply(set, bytes, [new Bytes(channel, PAYLOAD_OFFSET, length)]);
    return bytes;
  };
}

// -------------------------------------------------------------------------------------------------------------- host

/**
 * @param {SharedArrayBuffer} channel
 * @param {SharedArrayBuffer} interrupt
 * @returns {Line}
 */
export function sharedLine(channel, interrupt) {
  const words = new Int32Array(channel);
  const payload = new Uint8Array(channel, PAYLOAD_OFFSET);
  const flag = new Int32Array(interrupt);

  /**
   * The worker writes PENDING; PROGRESS is the one state of ours that another may follow before the worker reads it.
   * @param {number} sequence
   * @param {number} state
   */
  const exchange = (sequence, state) => {
    const word = (/** @type {number} */ from) => (sequence << STATE_BITS) | from;
    const current = Atomics.compareExchange(words, FUTEX_WORD, word(PENDING), word(state));
    if (current === word(PENDING)) return true;
    if (current !== word(PROGRESS)) return false;
    return Atomics.compareExchange(words, FUTEX_WORD, current, word(state)) === current;
  };

  return {
    put(sequence, state, bytes) {
      payload.set(bytes);
      if (state !== PROGRESS) Atomics.store(words, LENGTH_WORD, bytes.length);
      const taken = exchange(sequence, state);
      if (taken) Atomics.notify(words, FUTEX_WORD);
      return taken;
    },
    interrupt(sequence, reason) {
      Atomics.store(words, REASON_WORD, reason);
      Atomics.store(flag, 0, SIGINT);
      exchange(sequence, INTERRUPTED);
      Atomics.notify(words, FUTEX_WORD);
    },
  };
}
