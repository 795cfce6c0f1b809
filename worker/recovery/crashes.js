// @ts-check
// Crashes: whether a run whose worker crashed continues.
//
// In: each crash, and the position of the run; a block that changed the interpreter for good counts as one. Out: whether a
// fresh worker takes over, and the observation of the block that ran: it is not run again, unless the worker was ended
// from outside and the block had no part in it.

import { ENDED_OUTSIDE } from "../wire/errors.js";
import { MAX_CRASHES } from "../wire/protocol.js";

/**
 * @typedef {ReturnType<typeof import("./position.js").openPosition>} RunPosition
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {{crash: string, change?: string}} Crash `change` is the worker's word for what its block did to the interpreter
 */

const MAX_CHANGE_CHARS = 300;

/**
 * @param {object} options
 * @param {RunPosition} options.position
 * @param {Pick<Recorder, "record" | "empty">} options.recorder
 * @param {() => boolean} options.waits whether the block only waited for an answer
 * @param {{open: Position | null, crashes: number} | null} [options.resumed] of earlier sessions
 */
export function openCrashes({ position, recorder, waits, resumed = null }) {
  /** @type {Map<string, number>} by block, those that were ended from outside */
  const endings = new Map();
  if (resumed?.open) endings.set(keyOf(resumed.open), resumed.crashes);
  let inARow = 0;
  let progress = 0;

  /**
   * How often a worker was ended from outside in this block, this time included.
   * @param {Position} block
   */
  const endingsIn = (block) => {
    const times = (endings.get(keyOf(block)) ?? 0) + 1;
    endings.set(keyOf(block), times);
    return times;
  };

  return {
    /**
     * Count a crash; false when there were too many without a block between them that ended as it should.
     * @param {Crash} how
     */
    survive({ crash, change }) {
      const why = explained(crash);
      inARow = position.progress() > progress ? 1 : inARow + 1;
      progress = position.progress();
      const block = position.current();
      const isGuilty = block !== null && (why !== ENDED_OUTSIDE || (!waits() && endingsIn(block) > 1));
      if (isGuilty) position.lose(block, change === undefined ? observed(why) : observedChange(change));
      if (inARow >= MAX_CRASHES) return false;
      if (!recorder.empty())
        recorder.record(change === undefined ? lostNotice(why, inARow, isGuilty) : changeNotice(change));
      return true;
    },
  };
}

const STACK_FULL = /maximum call stack size|too much recursion|stack overflow/i;

/**
 * Why a worker crashed, with the cause in Python where the engine's own words name only the effect.
 * @param {string} why
 */
export function explained(why) {
  if (!STACK_FULL.test(why)) return why;
  return (
    `recursion filled the interpreter's stack, which is smaller in a browser (${why}); use a loop with a list of what ` +
    "is left to do instead of a function that calls itself, and leave sys.setrecursionlimit as it is"
  );
}

/** @param {Position} position */
function keyOf({ iteration, block }) {
  return `${iteration}.${block}`;
}

/**
 * The error that the model sees of a block in which the interpreter died.
 * @param {string} why
 */
export function observed(why) {
  return (
    `The Python interpreter died in this block (${why}) and was started again. The variables of the blocks before were ` +
    "rebuilt by running those again; this block is not run again, and what it had bound is gone. Its replies from models " +
    "are kept: to ask the same again costs nothing. Do it in another way."
  );
}

/**
 * The error that the model sees of a block after which the interpreter could not be trusted.
 * @param {string} change
 */
function observedChange(change) {
  return (
    `This block ${shown(change)}: code that runs later could not be trusted to such an interpreter, so this block's ` +
    "effects are gone. A fresh interpreter has run the blocks before it again; this block is not run again, and what it " +
    "had bound is gone. Its output and its replies from models are kept: to ask the same again costs nothing. Do it in " +
    "another way."
  );
}

/**
 * @param {string} change
 * @returns {import("../wire/types.d.ts").Unstamped}
 */
function changeNotice(change) {
  const text =
    `the Python worker was replaced: it reported that its block ${shown(change)}. The state before that block is ` +
    "rebuilt, and the block is not run again.";
  return { type: "notice", code: "worker_replaced", text };
}

/** @param {string} change */
function shown(change) {
  return change.slice(0, MAX_CHANGE_CHARS);
}

/**
 * @param {string} why
 * @param {number} times
 * @param {boolean} isGuilty
 * @returns {import("../wire/types.d.ts").Unstamped}
 */
function lostNotice(why, times, isGuilty) {
  const block = isGuilty ? " The block that ran is not run again." : "";
  const text = `the Python worker was lost, ${times} of at most ${MAX_CRASHES} times: ${why}. Its state is rebuilt.${block}`;
  return { type: "notice", code: "worker_lost", text };
}
