// @ts-check
// Session: several questions over one worker, and the record from which a fresh worker gets to the same state.
//
// In: the worker of a run that ended by itself, and each run that is over. Out: to the next run, the same worker; or, where
// that was ended or crashed, the earlier runs, so that a fresh one repeats them, answered from their record.

import { channelError } from "../wire/errors.js";

/**
 * @typedef {import("./types.d.ts").StartedWorker} StartedWorker
 * @typedef {import("./types.d.ts").Turn} Turn
 */

/** @returns {import("./types.d.ts").Session} */
export function openSession() {
  /** @type {StartedWorker | null} */
  let worker = null;
  /** @type {Turn[]} */
  const turns = [];
  let isClosed = false;

  return {
    /** The earlier questions, in order. */
    turns: () => [...turns],
    /** The worker of the question before; null at the first, and where it is gone. */
    take() {
      if (isClosed) throw channelError("the session is over: it was closed. Begin a new one.");
      const taken = worker;
      worker = null;
      return taken;
    },
    /**
     * The worker of a run that ended by itself.
     * @param {StartedWorker} used
     */
    keep(used) {
      if (isClosed) return used.terminate();
      worker = used;
      const lost = () => {
        used.terminate(); // one that broke the protocol lives on
        worker = null;
      };
      used.listen({ message: () => {}, lost });
    },
    /**
     * A worker began this run, and it is over.
     * @param {Turn} turn
     */
    add: (turn) => void turns.push(turn),
    close() {
      isClosed = true;
      worker?.terminate();
      worker = null;
    },
  };
}
