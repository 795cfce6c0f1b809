// @ts-check
// Position: how far a run is, and which of its events a later worker of the same run repeats.
//
// In: the checked events of one worker after another. Out: to the recorder, each of them once; to the next worker, the
// observations of the blocks so far, so that it rebuilds the state without asking a model anything new.

import { openOutput } from "./block_output.js";
import { openBlocks } from "./observed_blocks.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {import("../wire/types.d.ts").Unstamped} Unstamped
 * @typedef {Event & {type: "run_started"}} RunStarted
 */

/**
 * Called when the run begins, for the first time or repeated, and when a block begins and ends.
 * @typedef {{began: (event: RunStarted) => void, started: () => void, finished: () => void}} Listener
 */

const NOBODY = { began: () => {}, started: () => {}, finished: () => {} };

/**
 * @param {Pick<Recorder, "record">} recorder
 * @param {{blocks: PastBlock[], workerEvents: number} | null} [resumed] of an earlier session
 */
export function openPosition(recorder, resumed = null) {
  const blocks = openBlocks(resumed?.blocks ?? []);
  const output = openOutput();
  const repeats = openRepeats(resumed?.workerEvents ?? 0);
  /** @type {Listener} */
  let listener = NOBODY;
  let isBegun = false;
  let iteration = 0;
  /** @type {Position | null} */
  let current = null;
  let partial = "";

  /** @param {RunStarted} event */
  const begin = (event) => {
    isBegun = true;
    listener.began(event);
  };
  /**
   * @param {Position} position
   * @param {boolean} isNew
   */
  const beginBlock = ({ iteration, block }, isNew) => {
    current = { iteration, block };
    output.begin({ isNew });
    listener.started();
  };
  /**
   * @param {Event & {type: "block_finished"}} event
   * @param {boolean} isNew
   */
  const endBlock = (event, isNew) => {
    if (event.partial !== null) ({ partial } = event);
    if (isNew && !event.lost) blocks.finish(event, event.observation);
    current = null;
    listener.finished();
  };
  /**
   * Output of a block that is run again is recorded from where the first one was cut off.
   * @param {Event & {type: "output"}} event
   */
  const recordOutput = (event) => {
    const text = output.rest(event.text);
    if (text !== "") recorder.record({ ...event, text });
  };

  return {
    /**
     * A worker begins; it repeats the events that are recorded so far.
     * @param {Listener} next
     */
    begin(next) {
      [listener, isBegun, current] = [next, false, null];
      repeats.begin();
    },
    /** The recorder as event_check.js sees it. */
    empty: () => !isBegun,
    /** @param {Unstamped} unstamped */
    record(unstamped) {
      const claimed = /** @type {Event} */ (unstamped);
      const event = claimed.type === "block_finished" ? { ...claimed, lost: blocks.isLost(current) } : claimed;
      const isNew = repeats.isOver();
      if (event.type === "output") return void (isNew && recordOutput(event));
      if (event.type === "notice") return void (isNew && recorder.record(event));
      if (isNew) recorder.record(event);
      repeats.count();
      if (event.type === "run_started") begin(event);
      else if (event.type === "iteration_started") ({ iteration } = event);
      else if (event.type === "block_started") beginBlock(event, isNew);
      else if (event.type === "block_finished") endBlock(event, isNew);
    },
    /** The run takes another way: from here on the worker's events are new. */
    diverge() {
      repeats.end();
      blocks.dropFrom(current ?? { iteration, block: 0 });
    },
    partial: () => partial,
    current: () => current,
    /**
     * The block at `position` is not run again: its observation is the host's.
     * @param {Position} position
     * @param {string} error
     */
    lose(position, error) {
      const stdout = output.text();
      blocks.lose(position, { stdout, stdout_chars: stdout.length, value: null, error, seconds: 0, shown: null });
    },
    isLost: blocks.isLost,
    progress: blocks.finished,
    /** What the next worker starts from. */
    blocks: blocks.all,
  };
}

/**
 * Counts the events of a worker: as many as are recorded are repeated by the next one.
 * @param {number} recorded
 */
function openRepeats(recorded) {
  let left = 0;
  return {
    begin: () => void (left = recorded),
    isOver: () => left === 0,
    count() {
      if (left > 0) left -= 1;
      else recorded += 1;
    },
    /** The rest is not repeated: it is not of this run any more. */
    end() {
      recorded -= left;
      left = 0;
    },
  };
}
