// @ts-check
// Answering end: the host's half of a channel. Each request goes to a handler, and ends in a state.
//
// In: requests and acknowledgements of the worker, and bytes, an end or an error from the handler. Out: states on a line,
// be it of shared memory or of messages. Nothing here knows the meaning of requests and replies; see run/requests.js.

import { NO_BYTES, byteQueue } from "./byte_queue.js";
import { toWireError } from "./errors.js";
import {
  CHUNK,
  CHUNK_BYTES,
  ERROR,
  HOST_HEARTBEAT_MS,
  INTERRUPT_REPEAT_MS,
  LAST,
  PIECE,
  PROGRESS,
  STOP_RUN,
} from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Ack} Ack
 * @typedef {import("./protocol.js").Request} Request
 * @typedef {import("./types.d.ts").Answer} Answer
 * @typedef {import("./types.d.ts").Handler} Handler
 * @typedef {import("./types.d.ts").Line} Line
 */

/** One for all answers: an abort without a reason makes an error with a stack, which costs 30 us. */
const OVER = new DOMException("nobody waits for this answer any more", "AbortError");
const UNANSWERED = { title: "Error", detail: "the host ended this request without an answer" };

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
  /** Made for a handler that looks at its signal. @type {AbortController | null} */
  let abort = null;
  let isOver = false;
  let waiting = true;
  let ended = false;
  /** @type {Uint8Array | null} */
  let failure = null;
  /** A part of the reply that was not sent yet. @type {import("./types.d.ts").ReplyPiece | null} */
  let piece = null;

  const abandon = () => {
    isOver = true;
    abort?.abort(OVER);
  };
  /**
   * @param {number} state
   * @param {Uint8Array} bytes
   */
  const put = (state, bytes) => {
    waiting = false;
    if (!line.put(sequence, state, bytes) || (state !== CHUNK && state !== PIECE)) abandon();
  };
  const pump = () => {
    if (!waiting || isOver) return;
    if (failure) put(ERROR, failure);
    else if (queue.size() > CHUNK_BYTES) put(CHUNK, queue.take(CHUNK_BYTES));
    else if (ended) put(LAST, queue.take(CHUNK_BYTES));
    else if (piece !== null) putPiece(piece);
  };
  /**
   * Of a piece that is too long the reply is read when it is whole.
   * @param {import("./types.d.ts").ReplyPiece} written
   */
  const putPiece = (written) => {
    const bytes = new TextEncoder().encode(JSON.stringify(written));
    piece = null;
    if (bytes.length <= CHUNK_BYTES) put(PIECE, bytes);
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
    get signal() {
      abort ??= new AbortController();
      if (isOver) abort.abort(OVER);
      return abort.signal;
    },
    write(bytes) {
      if (ended) return;
      queue.add(bytes);
      pump();
    },
    piece(next) {
      piece = piece === null || next.at === 0 ? next : { at: piece.at, text: piece.text + next.text };
      pump();
    },
    end: () => finish(null),
    fail: (error) => void (ended || finish(errorBytes(error))),
    progress: () => void (waiting && !isOver && line.put(sequence, PROGRESS, NO_BYTES)),
  };
  /** @param {number} acknowledged */
  const acknowledge = (acknowledged) => {
    if (acknowledged !== sequence || waiting) return;
    waiting = true;
    pump();
  };
  return { answer, sequence, acknowledge, abandon };
}

/** @param {unknown} error */
function errorBytes(error) {
  return new TextEncoder().encode(JSON.stringify(toWireError(error)));
}
