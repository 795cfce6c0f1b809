// @ts-check
// Recovery: what a run keeps from one worker to the next.
//
// In: the worker's events and requests, and its crashes. Out: to the next worker, the observations and answers of the
// one before, so that it gets to the same state without a call; whether there is a next one at all.

import { configError } from "../wire/errors.js";
import { openCrashes, observed } from "./crashes.js";
import { openPosition } from "./position.js";
import { openTape } from "./request_tape.js";

/**
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").Position} Position
 * @typedef {import("../wire/types.d.ts").Recorder} Recorder
 * @typedef {import("./types.d.ts").ResumedRun} ResumedRun
 * @typedef {Event & {type: "run_started"}} RunStarted
 */

const TAB_CRASHES = 2;
const STOPPED_IN = "The run was stopped in this block. It is not run again, and what it had bound is gone.";
const DIVERGED = "the run took another way than before: from here on models are asked anew.";

/**
 * @param {object} options
 * @param {Pick<Recorder, "record" | "empty" | "otherCalls">} options.recorder
 * @param {Readonly<Record<string, Handler>>} options.handlers by `op`: answer what is not in the record
 * @param {string} options.name of the run and its position in the tree, for idempotency keys
 * @param {(frames: number) => void} options.onReplayed
 * @param {(rootCalls: number) => void} options.onDiverged so many recorded root calls are not used
 * @param {ResumedRun | null} options.resumed
 * @param {PastBlock[]} options.lost blocks of a recorded run that are not run again
 */
export function openRecovery({ recorder, handlers, name, onReplayed, onDiverged, resumed, lost }) {
  const position = openPosition(recorder, resumed ?? { blocks: lost, workerEvents: 0 });
  let isSealed = false;
  let isDiverged = false;

  /** @param {number} unused */
  const diverge = (unused) => {
    isDiverged = true;
    if (isSealed) return;
    onDiverged(unused);
    position.diverge();
    recorder.record({ type: "notice", code: "diverged", text: DIVERGED });
  };
  const recorded = (resumed?.entries ?? []).reduce((sum, { calls, again }) => sum + calls + again, 0);
  const others = () => recorder.otherCalls() - recorded;
  const taped = { handlers, name, position: position.current, onReplayed, onDifference: diverge, others };
  const tape = openTape({ ...taped, entries: resumed?.entries });
  const crashes = openCrashes({ position, recorder, waits: tape.waits, resumed });
  if (resumed?.open && resumed.crashes >= TAB_CRASHES)
    position.lose(resumed.open, observed("its tab was closed twice while it ran"));
  tape.rewind(position.isLost);

  return {
    position,
    tape,
    /**
     * The worker crashed: whether another takes over.
     * @param {import("./crashes.js").Crash} crash
     */
    survive(crash) {
      if (!crashes.survive(crash)) return false;
      tape.rewind(position.isLost);
      return true;
    },
    /**
     * The run was stopped while this block ran; one that is repeated has ended long ago.
     * @param {Position} block
     */
    stopIn(block) {
      if (!isSealed) position.lose(block, STOPPED_IN);
    },
    /** Back to the beginning of a run that is over, for a worker that repeats it. */
    rewind() {
      tape.rewind(position.isLost);
      isDiverged = false;
    },
    /** Whether the worker that repeats the run took another way. */
    isDiverged: () => isDiverged,
    /**
     * An error where the context is not the one that the run began with, or null.
     * @param {RunStarted} runStarted
     */
    otherContext({ contexts }) {
      if (!resumed?.contexts || JSON.stringify(contexts) === JSON.stringify(resumed.contexts)) return null;
      return configError(otherContext(resumed.contexts, contexts));
    },
    /** The run is over. */
    seal() {
      isSealed = true;
      tape.seal();
    },
  };
}

/**
 * @param {RunStarted["contexts"]} before
 * @param {RunStarted["contexts"]} now
 */
function otherContext(before, now) {
  return (
    `this is not the context that the run began with: ${difference(before, now)}. Give it the same one. ` +
    "Nothing was asked, and the run is kept."
  );
}

/**
 * @param {RunStarted["contexts"]} before
 * @param {RunStarted["contexts"]} now
 */
function difference(before, now) {
  const isSame = listed(before) === listed(now);
  return isSame ? `the content of ${listed(now)} is another` : `${listed(before)} then, ${listed(now)} now`;
}

/** Names and sizes. @param {RunStarted["contexts"]} contexts */
function listed(contexts) {
  return contexts
    .map(({ name, type, size }) => `"${name}" (${type}${size === undefined ? "" : `, size ${size}`})`)
    .join(", ");
}
