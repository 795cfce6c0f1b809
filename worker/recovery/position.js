// @ts-check
// Place: where a run is, what its blocks gave, and which of its events a later worker of the same run says again.
//
// In: the worker's checked events, of one worker after another. Out: to the recorder, each of them once; to the next
// worker, what the blocks gave so far, so that it rebuilds the state without saying anything new to a model.

import { MAX_MESSAGE_CHARS } from "../wire/protocol.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Observation} Observation
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {{iteration: number, block: number}} Place
 */

/**
 * Who wants to know when the run begins, again or for the first time, and when a block runs.
 * @typedef {{began: (event: Event & {type: "run_started"}) => void, started: () => void, finished: () => void}} Listener
 */

const MAX_SHOWN_CHARS = Math.min(1 << 20, MAX_MESSAGE_CHARS);
const NOBODY = { began: () => {}, started: () => {}, finished: () => {} };

/**
 * @param {Recorder} recorder
 * @param {{blocks: PastBlock[], told: number} | null} [past] of an earlier session
 */
export function openPlace(recorder, past = null) {
  const blocks = [...(past?.blocks ?? [])];
  /** @type {Place | null} */
  let open = null;
  /** @type {Listener} */
  let listener = NOBODY;
  let iteration = 0;
  let partial = "";
  let recorded = past?.told ?? 0;
  let repeated = 0;
  let printed = "";
  let shown = 0;
  let began = false;
  let progress = 0;

  const follow = (/** @type {Event} */ event, /** @type {boolean} */ isNew) => {
    if (event.type === "run_started") {
      began = true;
      listener.began(event);
    }
    if (event.type === "iteration_started") ({ iteration } = event);
    if (event.type === "block_started") {
      open = { iteration: event.iteration, block: event.block };
      if (isNew) printed = "";
      shown = 0;
      listener.started();
    } else if (event.type === "block_finished") {
      if (event.partial !== null) ({ partial } = event);
      if (isNew && !isLost(open)) {
        keep(event, event.observation);
        progress += 1;
      }
      open = null;
      listener.finished();
    }
  };
  const keep = (/** @type {Place} */ { iteration, block }, /** @type {Observation} */ observation, lost = false) =>
    void blocks.push({ iteration, block, observation, lost });
  const isLost = (/** @type {Place | null} */ place) => blocks.some((past) => past.lost && samePlace(past, place));
  /** Output of a block that is run again is shown from where the first one was cut off. */
  const recordOutput = (/** @type {Event & {type: "output"}} */ event) => {
    const skipped = Math.max(0, printed.length - shown);
    shown += event.text.length;
    const text = event.text.slice(skipped);
    if (text === "") return;
    if (printed.length < MAX_SHOWN_CHARS) printed += text;
    recorder.record({ ...event, text });
  };

  return {
    /** A worker begins; what was recorded so far is dropped when it says it again. */
    begin(/** @type {Listener} */ next) {
      [listener, repeated, began, open] = [next, recorded, false, null];
    },
    /** The recorder as event_check.js sees it. */
    empty: () => !began,
    record(/** @type {import("../wire/types.d.ts").Unstamped} */ unstamped) {
      const event = /** @type {Event} */ (unstamped);
      const isNew = repeated === 0;
      if (event.type === "output") return void (isNew && recordOutput(event));
      if (event.type === "notice") return void (isNew && recorder.record(event));
      if (isNew) {
        recorder.record(event);
        recorded += 1;
      } else repeated -= 1;
      follow(event, isNew);
    },
    /** From here on the worker's events are new. */
    goOn() {
      recorded -= repeated;
      repeated = 0;
      forget(blocks, open ?? { iteration, block: 0 });
    },
    partial: () => partial,
    current: () => open,
    /** The block that runs is not run again: it is answered by what happened. */
    lose(/** @type {Place} */ place, /** @type {string} */ error) {
      const known = blocks.findIndex((past) => samePlace(past, place));
      if (known !== -1) blocks[known] = { ...blocks[known], lost: true };
      else keep(place, { stdout: printed, stdout_chars: printed.length, value: null, error, seconds: 0 }, true);
    },
    isLost,
    /** How many blocks ended as they should. */
    progress: () => progress,
    /** What the next worker is told. */
    blocks: () => [...blocks],
  };
}

/** @returns {boolean} */
export function samePlace(/** @type {Place} */ one, /** @type {Place | null} */ other) {
  return one.iteration === other?.iteration && one.block === other.block;
}

/** Drop what was known of blocks from there on: the run takes another way. */
function forget(/** @type {PastBlock[]} */ blocks, /** @type {Place} */ from) {
  const after = (/** @type {PastBlock} */ { iteration, block }) =>
    iteration > from.iteration || (iteration === from.iteration && block >= from.block);
  blocks.splice(0, blocks.length, ...blocks.filter((past) => !after(past)));
}
