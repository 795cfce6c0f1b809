// @ts-check
// Session: several questions over one worker, and what it takes to have that worker again.
//
// In: the worker of a run that ended by itself, and each run that is over. Out: to the next run, the same worker; or, where
// it was ended or died, the runs before, so that a fresh one goes through them again, answered from their record.

import { channelError } from "../wire/errors.js";

/**
 * @typedef {import("../boot/pool.js").StartedWorker} StartedWorker
 * @typedef {{run: import("./run.js").Run, job: import("../wire/protocol.js").StartJob}} Turn
 * @typedef {ReturnType<typeof openSession>} Session
 */

export function openSession() {
  /** @type {StartedWorker | null} */
  let worker = null;
  /** @type {Turn[]} */
  const turns = [];
  let isClosed = false;

  return {
    /** The questions before, in order. */
    turns: () => [...turns],
    /** The worker of the question before; null at the first, and where it is gone. */
    take() {
      if (isClosed) throw channelError("the session is over: it was closed. Begin a new one.");
      const taken = worker;
      worker = null;
      return taken;
    },
    /** The worker of a run that ended by itself. */
    keep(/** @type {StartedWorker} */ used) {
      if (isClosed) return used.terminate();
      worker = used;
      worker.listen({ message: () => {}, lost: () => void (worker = null) });
    },
    /** A worker began this run, and it is over. */
    asked: (/** @type {Turn} */ turn) => void turns.push(turn),
    close() {
      isClosed = true;
      worker?.terminate();
      worker = null;
    },
  };
}
