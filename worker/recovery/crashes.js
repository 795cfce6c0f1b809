// @ts-check
// Deaths: what becomes of a run whose worker died.
//
// In: each death, and where the run was. Out: whether it goes on with a fresh worker, and what that one is told of the
// block that ran: it is not run again, unless the worker was ended from outside and the block had no part in it.

import { ENDED_OUTSIDE } from "../wire/errors.js";
import { MAX_CRASHES } from "../wire/protocol.js";

/**
 * @typedef {ReturnType<typeof import("./position.js").openPlace>} Whereabouts
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 */

/**
 * @param {object} options
 * @param {Whereabouts} options.place
 * @param {Recorder} options.recorder
 * @param {() => boolean} options.waits whether the block only waited for an answer
 * @param {{open: import("./position.js").Place | null, deaths: number} | null} [options.past] of earlier sessions
 */
export function openDeaths({ place, recorder, waits, past = null }) {
  /** @type {Map<string, number>} */
  const kills = new Map();
  if (past?.open) kills.set(keyOf(past.open), past.deaths);
  let inARow = 0;
  let progress = 0;

  /** How often the worker died in the block that runs. */
  const killsOf = (/** @type {import("./position.js").Place} */ block) => {
    const times = (kills.get(keyOf(block)) ?? 0) + 1;
    kills.set(keyOf(block), times);
    return times;
  };

  return {
    /**
     * Count one; false when there were too many without a block between them that ended as it should.
     * @param {string} why
     */
    survive(why) {
      inARow = place.progress() > progress ? 1 : inARow + 1;
      progress = place.progress();
      const at = place.current();
      const isGuilty = at !== null && (why !== ENDED_OUTSIDE || (!waits() && killsOf(at) > 1));
      if (isGuilty) place.lose(at, observed(why));
      if (inARow >= MAX_CRASHES) return false;
      if (!recorder.empty()) recorder.record({ type: "notice", text: noticed(why, inARow, isGuilty) });
      return true;
    },
  };
}

function keyOf(/** @type {import("./position.js").Place} */ { iteration, block }) {
  return `${iteration}.${block}`;
}

const DIED = "The Python interpreter died in this block";

/** Whether an observation is that of a block which killed its worker. */
export function isDeath(/** @type {import("../wire/protocol.js").Observation} */ { error }) {
  return error?.startsWith(DIED) === true;
}

export function observed(/** @type {string} */ why) {
  return (
    `${DIED} (${why}) and was started again. The variables of the blocks before were ` +
    "rebuilt by running those again; this block is not run again, and what it had bound is gone. Its replies from models " +
    "are kept: to ask the same again costs nothing. Do it in another way."
  );
}

function noticed(/** @type {string} */ why, /** @type {number} */ times, /** @type {boolean} */ isGuilty) {
  const block = isGuilty ? " The block that ran is not run again." : "";
  return `the Python worker was lost, ${times} of at most ${MAX_CRASHES} times: ${why}. Its state is rebuilt.${block}`;
}
