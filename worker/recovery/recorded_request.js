// @ts-check
// Recorded request: one request of a worker with as much of its answer as there is.
//
// In: frames and the end of the answer, from the log or as they come. Out: the same, to the worker that waits for them. A
// worker may die while it waits: its open request continues and is kept, and the next worker joins it.

/**
 * @typedef {import("../wire/types.d.ts").Answer} Answer
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("./request_mark.js").WorkerRequest} WorkerRequest
 * @typedef {{ok: boolean, error: unknown}} End
 */

/**
 * `missing` are those parts of a request (calls, child runs, the function) without an answer when the log ends.
 * @typedef {object} Entry
 * @property {(request: WorkerRequest) => boolean} matches
 * @property {number | null} number of its first model call in its key, once that has left: that among the calls of its run,
 *   less those that were made again before, and those that left ahead and were not used
 * @property {number} calls number of its model calls, as far as the log has them
 * @property {number} again how often a call of it was made again
 * @property {number[]} children numbers of its child runs, as far as the log has them
 * @property {string | null} tool the function that it calls, as far as the log has it
 * @property {boolean} isRoot whether it is the call of an iteration
 * @property {Position | null} position of the block that made it
 * @property {Uint8Array[]} frames
 * @property {number[]} missing
 * @property {End | null} end
 * @property {Answer | null} listener the worker that waits for it now
 * @property {AbortController} abort
 */

/**
 * @param {(request: WorkerRequest) => boolean} matches
 * @param {Partial<Entry>} fields
 * @returns {Entry}
 */
export function openEntry(matches, fields) {
  return {
    matches,
    number: null,
    calls: 0,
    again: 0,
    children: [],
    tool: null,
    isRoot: false,
    position: null,
    frames: [],
    missing: [],
    end: null,
    listener: null,
    abort: new AbortController(),
    ...fields,
  };
}

/**
 * Resolves when `answer` has all of `entry`, or its worker no longer waits.
 * @param {Entry} entry
 * @param {Answer} answer
 */
export function played(entry, answer) {
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
    if (entry.end !== null) sendEnd(entry);
  });
}

/**
 * Where the answer to a new request goes: into its entry, and on to the worker that waits. It need not be on disk: what
 * the worker makes of it stays with the worker until its next call or function, which leaves once all before it is on disk.
 * @param {Entry} entry
 * @returns {Answer}
 */
export function sinkOf(entry) {
  /** @param {End} end */
  const finish = (end) => {
    if (entry.end !== null) return;
    entry.end = end;
    sendEnd(entry);
  };
  return {
    signal: entry.abort.signal,
    write(bytes) {
      entry.frames.push(bytes);
      entry.listener?.write(bytes);
    },
    piece: (piece) => entry.listener?.piece?.(piece),
    end: () => finish({ ok: true, error: null }),
    fail: (error) => finish({ ok: false, error }),
    progress: () => {},
  };
}

/** @param {Entry} entry */
function sendEnd({ end, listener }) {
  if (end?.ok) listener?.end();
  else listener?.fail(end?.error);
}
