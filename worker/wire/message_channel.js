// @ts-check
// Message channel: the channel without shared memory. The worker suspends on promises (JSPI), the host posts its states.
//
// In and out as in channel.js, with messages in place of memory; nothing here blocks a thread.

import { NO_BYTES } from "./byte_queue.js";
import {
  WORKER_HEARTBEAT_MS,
  INTERRUPTED,
  PROGRESS,
  SEQUENCE_MASK,
  HOST_IDLE_TIMEOUT_MS,
  TIMED_OUT,
} from "./protocol.js";

/**
 * @typedef {import("./protocol.js").ReplyPart} ReplyPart
 * @typedef {import("./protocol.js").Request} Request
 * @typedef {import("./types.d.ts").Line} Line
 * @typedef {import("./types.d.ts").Post} Post
 */

/**
 * @template S
 * @typedef {import("./types.d.ts").WaitingEnd<S>} WaitingEnd
 */

/**
 * The worker's end: the caller suspends on the promises. `deliver` takes the messages of the host.
 * @param {object} options
 * @param {number} options.epoch
 * @param {Post} options.post
 * @param {number} [options.idleTimeoutMs]
 * @returns {WaitingEnd<Promise<number>> & {deliver: (part: ReplyPart) => void}}
 */
export function suspendingEnd({ epoch, post, idleTimeoutMs = HOST_IDLE_TIMEOUT_MS }) {
  let sequence = 0;
  let bytes = new Uint8Array(0);
  let wake = (/** @type {number} */ _state) => {};
  let extend = () => {};
  const later = setTimeout.bind(globalThis);
  const forget = clearTimeout.bind(globalThis);
  const repeat = setInterval.bind(globalThis);
  const end = clearInterval.bind(globalThis);
  const textOf = textReader();

  const nextState = () =>
    new Promise((/** @type {(state: number) => void} */ resolve) => {
      const beats = repeat(post, WORKER_HEARTBEAT_MS, { type: "heartbeat", epoch });
      wake = (state) => {
        forget(timer);
        end(beats);
        resolve(state);
      };
      let timer = later(wake, idleTimeoutMs, TIMED_OUT);
      extend = () => {
        forget(timer);
        timer = later(wake, idleTimeoutMs, TIMED_OUT);
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
    text: () => textOf(bytes),
    deliver(part) {
      if (part.sequence !== sequence) return;
      if (part.state === PROGRESS) return extend();
      bytes = new Uint8Array(part.data);
      wake(part.state);
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
 * Reads bytes as text by a function captured now, which model code cannot replace later; bytes that are no UTF-8 as
 * undefined.
 */
export function textReader() {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = decoder.decode.bind(decoder);
  const NativeTypeError = TypeError;
  return (/** @type {Uint8Array} */ bytes) => {
    try {
      return decode(bytes);
    } catch (error) {
      if (error instanceof NativeTypeError) return undefined;
      throw error;
    }
  };
}

/**
 * Post a request with the bytes beside it, which no longer belong to the caller.
 * @param {Post} post
 * @param {Omit<Request, "data"> | Omit<import("./protocol.js").CallsAhead, "data">} request
 * @param {Uint8Array<ArrayBuffer>[]} views each of an own buffer
 */
export function postRequest(post, request, views) {
  const data = views.map(({ buffer }) => buffer);
  post({ ...request, data }, data);
}
