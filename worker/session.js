// @ts-check
// Session: the worker that lives on from one question to the next.
//
// In: the worker of a run that ended by itself. Out: the same, to the next run. A worker that was ended, or died, takes
// the session with it, because its REPL cannot be had again.

import { channelError } from "./errors.js";

/**
 * @typedef {import("./pool.js").StartedWorker} StartedWorker
 * @typedef {ReturnType<typeof openSession>} Session
 */

export const openSession = () => {
  /** @type {StartedWorker | null} */
  let worker = null;
  let turn = 0;
  let lost = "";

  return {
    /** How many questions were asked before. */
    turn: () => turn,
    /** The worker of the question before, null at the first. Throws when it is gone. */
    take() {
      if (lost !== "") throw channelError(`the session is over: ${lost}. Begin a new one.`);
      const taken = worker;
      worker = null;
      return taken;
    },
    /** A run is over: its worker is kept when it ended by itself. */
    keep(/** @type {StartedWorker} */ used, /** @type {boolean} */ isWhole) {
      turn += 1;
      if (!isWhole || lost !== "") {
        lost ||= "its Python worker was ended or lost, and its variables with it";
        used.terminate();
        return;
      }
      worker = used;
      worker.listen({ message: () => {}, lost: (why) => void (lost = why) });
    },
    close() {
      lost ||= "it was closed";
      worker?.terminate();
      worker = null;
    },
  };
};
