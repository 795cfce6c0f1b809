// @ts-check
// Channel: how a worker asks and waits, and how the host answers. Both ends are here, and all Atomics of the project.
//
// In, worker side: the JSON text of a request. Out: states, and the bytes of the reply chunk by chunk.
// In, host side: bytes, an end or an error from the handler. Out: written states; a waiting worker always wakes.
// Nothing here knows the meaning of requests and replies; see broker.js and bridge.py for that.
//
// The host treats the shared memory as write-only: it reads nothing but the results of compareExchange.

import { NO_BYTES, byteQueue } from "./byte_queue.js";
import { toWireError } from "./errors.js";
import {
  WORKER_HEARTBEAT_MS,
  CHANNEL_BYTES,
  CHUNK,
  CHUNK_BYTES,
  ERROR,
  FUTEX_WORD,
  HOST_HEARTBEAT_MS,
  INTERRUPTED,
  INTERRUPT_REPEAT_MS,
  LAST,
  LENGTH_WORD,
  PAYLOAD_OFFSET,
  PENDING,
  PROGRESS,
  REASON_WORD,
  SEQUENCE_MASK,
  SIGINT,
  HOST_IDLE_TIMEOUT_MS,
  STATE_BITS,
  STOP_BLOCK,
  STOP_RUN,
  TIMED_OUT,
  WAIT_SLICE_MS,
} from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Request} Request
 * @typedef {import("./protocol.js").Ack} Ack
 * @typedef {import("./protocol.js").Heartbeat} Heartbeat
 * @typedef {import("./protocol.js").ReplyPart} ReplyPart
 * @typedef {import("./protocol.js").WireError} WireError
 */

/**
 * The worker's end. `request` and `next` return a state, or a promise of one on the transport without shared memory.
 * After CHUNK, LAST or ERROR `take` gives the bytes, and after CHUNK `next` asks for the following ones.
 * @template S
 * @typedef {object} WaitingEnd
 * @property {(body: string, ...data: Uint8Array<ArrayBuffer>[]) => S} request with the bytes beside the body
 * @property {() => S} next
 * @property {() => Uint8Array<ArrayBuffer>} take
 * @property {(milliseconds: number) => S} [pause] LAST when the time is over, INTERRUPTED before that
 * @property {() => number} [stop_reason] reason of the host's last interrupt, 0 for none
 */

/**
 * One answer to one request. Each method may be called at any time: bytes after the end are dropped.
 * @typedef {object} Answer
 * @property {AbortSignal} signal aborted when nobody waits for the answer any more
 * @property {(bytes: Uint8Array) => void} write adds to the reply; sent in chunks as the worker takes them
 * @property {() => void} end
 * @property {(error: unknown) => void} fail ends the reply with an error, also after some bytes
 * @property {(call: number) => string} [idempotencyKey] of the request, by its first call in the log: a repeated request
 *   has the same
 * @property {number[]} [again] of a request that was cut off before and is repeated: the numbers of its child runs
 * @property {() => string} [mark] tells the request apart from others of its run, in the log
 * @property {unknown} [value] that the request's body is, where it was parsed before
 * @property {() => void} progress tells the worker that the host is alive
 */

/** @typedef {(body: string, answer: Answer, data: ArrayBuffer[]) => void | Promise<void>} Handler */

/** @typedef {(message: Request | Ack | Heartbeat, transfer?: ArrayBuffer[]) => void} Post how the worker reaches the host */

/**
 * How states reach the worker. `put` reports whether the worker still waited for that sequence.
 * @typedef {object} Line
 * @property {(sequence: number, state: number, bytes: Uint8Array) => boolean} put
 * @property {(sequence: number, reason: number) => void} interrupt
 */

const SPINS = 10_000; // 0.15 ms at most
const UNANSWERED = { title: "Error", detail: "the host ended this request without an answer" };

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
 * @param {number} [options.silenceMs] idle timeout of the host, in milliseconds actually waited
 * @param {() => boolean} [options.inBlock] whether a block runs: an interrupt of a block comes too late otherwise
 * @returns {WaitingEnd<number>}
 */
export function waitingEnd({
  channel,
  interrupt,
  epoch,
  post,
  silenceMs = HOST_IDLE_TIMEOUT_MS,
  inBlock = () => true,
}) {
  const { compareExchange, load, store, wait } = Atomics;
  const words = new Int32Array(channel);
  const flag = new Int32Array(interrupt);
  const payload = copier(channel);
  const slice = Math.min(WAIT_SLICE_MS, silenceMs);
  const now = performance.now.bind(performance);
  let sequence = 0;

  /** @param {number} state */
  const word = (state) => (sequence << STATE_BITS) | state;

  const stopReason = () => load(words, REASON_WORD);
  const interrupted = () => {
    if (load(flag, 0) === 0) return false;
    if (inBlock() || stopReason() !== STOP_BLOCK) return true;
    store(flag, 0, 0);
    return false;
  };

  /**
   * Look for a short while before the thread sleeps: to wake it costs more than an instant answer takes.
   * @param {number} pending
   */
  const spin = (pending) => {
    for (let left = SPINS; left > 0; left -= 1) if (load(words, FUTEX_WORD) !== pending) return;
  };

  const waitForState = () => {
    const pending = word(PENDING);
    spin(pending);
    let sinceBeat = 0;
    for (let idle = 0; idle < silenceMs; ) {
      if (interrupted()) return INTERRUPTED;
      const current = load(words, FUTEX_WORD);
      const state = current - pending;
      if (state === CHUNK || state === LAST || state === ERROR || state === INTERRUPTED) return state;
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
    take: () => payload(Math.min(load(words, LENGTH_WORD), CHUNK_BYTES)),
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
 * Post a request with the bytes beside it, which no longer belong to the caller.
 * @param {Post} post
 * @param {Omit<Request, "data">} request
 * @param {Uint8Array<ArrayBuffer>[]} views each of an own buffer
 */
function postRequest(post, request, views) {
  const data = views.map(({ buffer }) => buffer);
  post({ ...request, data }, data);
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

// ------------------------------------------------------------------------------------------------------ worker: JSPI

/**
 * The same without shared memory: the caller suspends on the promises. `deliver` takes the messages of the host.
 * @param {object} options
 * @param {number} options.epoch
 * @param {Post} options.post
 * @param {number} [options.silenceMs]
 * @returns {WaitingEnd<Promise<number>> & {deliver: (part: ReplyPart) => void}}
 */
export function suspendingEnd({ epoch, post, silenceMs = HOST_IDLE_TIMEOUT_MS }) {
  let sequence = 0;
  let bytes = new Uint8Array(0);
  let wake = (/** @type {number} */ _state) => {};
  let extend = () => {};
  const later = setTimeout.bind(globalThis);
  const forget = clearTimeout.bind(globalThis);
  const repeat = setInterval.bind(globalThis);
  const end = clearInterval.bind(globalThis);

  const nextState = () =>
    new Promise((/** @type {(state: number) => void} */ resolve) => {
      const beats = repeat(post, WORKER_HEARTBEAT_MS, { type: "heartbeat", epoch });
      wake = (state) => {
        forget(timer);
        end(beats);
        resolve(state);
      };
      let timer = later(wake, silenceMs, TIMED_OUT);
      extend = () => {
        forget(timer);
        timer = later(wake, silenceMs, TIMED_OUT);
      };
    });

  return {
    request(body, ...views) {
      sequence = (sequence + 1) & SEQUENCE_MASK;
      const state = nextState();
      postRequest(post, { type: "request", epoch, sequence, body }, views);
      return state;
    },
    next() {
      const state = nextState();
      post({ type: "ack", epoch, sequence });
      return state;
    },
    take: () => bytes,
    deliver(part) {
      if (part.sequence !== sequence) return;
      if (part.state === PROGRESS) return extend();
      bytes = new Uint8Array(part.data);
      wake(part.state);
    },
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

/**
 * @param {(message: ReplyPart, transfer: Transferable[]) => void} post
 * @param {number} epoch
 * @returns {Line}
 */
export function messageLine(post, epoch) {
  /**
   * @param {number} sequence
   * @param {number} state
   * @param {Uint8Array} bytes
   */
  const send = (sequence, state, bytes) => {
    const data = bytes.slice().buffer;
    post({ type: "reply", epoch, sequence, state, data }, [data]);
    return true;
  };
  return { put: send, interrupt: (sequence) => void send(sequence, INTERRUPTED, NO_BYTES) };
}

/**
 * The host's end: gives each request to `handler`, and makes sure that each one ends in a state.
 * @param {object} options
 * @param {Line} options.line
 * @param {Handler} options.handler
 * @param {number} [options.heartbeatMs]
 */
export function answeringEnd({ line, handler, heartbeatMs = HOST_HEARTBEAT_MS }) {
  /** @type {ReturnType<typeof openAnswer> | null} */
  let current = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let interrupting;
  const heartbeat = setInterval(() => current?.answer.progress(), heartbeatMs);

  const stopInterrupting = () => clearInterval(interrupting);

  return {
    /**
     * A request came in; an answer still open is for a call that the worker has given up.
     * @param {Request} request
     */
    request({ sequence, body, data }) {
      current?.abandon();
      current = openAnswer(line, sequence);
      const { answer } = current;
      return settle(() => handler(body, answer, data ?? []), answer);
    },
    /** @param {Ack} ack */
    ack: ({ sequence }) => current?.acknowledge(sequence),
    /** Interrupt the worker, at work or waiting, again and again until `acknowledged`. */
    interrupt(reason = STOP_RUN) {
      const once = () => line.interrupt(current?.sequence ?? 0, reason);
      stopInterrupting();
      once();
      interrupting = setInterval(once, INTERRUPT_REPEAT_MS);
    },
    /** The worker obeyed. */
    acknowledged: stopInterrupting,
    close() {
      stopInterrupting();
      clearInterval(heartbeat);
      current?.abandon();
    },
  };
}

/**
 * Run `handle`; whatever becomes of it, the answer is ended.
 * @param {() => void | Promise<void>} handle
 * @param {Answer} answer
 */
async function settle(handle, answer) {
  try {
    await handle();
  } catch (error) {
    answer.fail(error);
  }
  answer.fail(UNANSWERED);
}

/**
 * The sending half of one answer: bytes not yet taken, cut into chunks.
 * @param {Line} line
 * @param {number} sequence
 */
function openAnswer(line, sequence) {
  const queue = byteQueue();
  const abort = new AbortController();
  let waiting = true;
  let ended = false;
  /** @type {Uint8Array | null} */
  let failure = null;

  /**
   * @param {number} state
   * @param {Uint8Array} bytes
   */
  const put = (state, bytes) => {
    waiting = false;
    if (!line.put(sequence, state, bytes) || state !== CHUNK) abort.abort();
  };
  const pump = () => {
    if (!waiting || abort.signal.aborted) return;
    if (failure) put(ERROR, failure);
    else if (queue.size() > CHUNK_BYTES) put(CHUNK, queue.take(CHUNK_BYTES));
    else if (ended) put(LAST, queue.take(CHUNK_BYTES));
  };
  /** @param {Uint8Array | null} error */
  const finish = (error) => {
    if (ended) return;
    ended = true;
    failure = error;
    pump();
  };

  /** @type {Answer} */
  const answer = {
    signal: abort.signal,
    write(bytes) {
      if (ended) return;
      queue.add(bytes);
      pump();
    },
    end: () => finish(null),
    fail: (error) => void (ended || finish(errorBytes(error))),
    progress: () => void (waiting && !abort.signal.aborted && line.put(sequence, PROGRESS, NO_BYTES)),
  };
  /** @param {number} acknowledged */
  const acknowledge = (acknowledged) => {
    if (acknowledged !== sequence || waiting) return;
    waiting = true;
    pump();
  };
  return { answer, sequence, acknowledge, abandon: () => abort.abort() };
}

/** @param {unknown} error */
function errorBytes(error) {
  return new TextEncoder().encode(JSON.stringify(toWireError(error)));
}
