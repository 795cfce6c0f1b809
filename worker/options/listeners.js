// @ts-check
// Listeners: the caller's callbacks, fed from the events and the calls of a run.
//
// In: the functions of the options. Out: the listeners of a tree. A fault of the caller's function is its own.

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../options/settings.js").Settings} Settings
 * @typedef {import("../rlm.d.ts").RLMChild} RLMChild
 * @typedef {import("../rlm.d.ts").RLMCodeBlock} RLMCodeBlock
 * @typedef {import("../rlm.d.ts").RLMIteration} RLMIteration
 * @typedef {import("../rlm.d.ts").RLMRunOptions} RLMRunOptions
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 */

/**
 * The caller's callbacks, fed from events and calls.
 * @param {Settings} settings
 */
export function listeners({ onIteration, onSubLLMCall, onEvent }) {
  const iterations = iterationsOf((iteration) => call(onIteration, iteration));
  return {
    /** @param {Event} event */
    onEvent(event) {
      if (event.path.length === 0) iterations(event);
      call(onEvent, event);
    },
    /**
     * @param {Kind} kind
     * @param {RequestedCall} requestedCall
     */
    onCall(kind, { messages, model }) {
      if (kind === "sub") call(onSubLLMCall, { prompt: messages[messages.length - 1]?.content ?? "", model });
    },
  };
}

/**
 * The listener of a console entry: it calls no model, and is no iteration of a run.
 * @param {Settings} settings
 */
export function entryListeners({ onEvent }) {
  return { onEvent: (/** @type {Event} */ event) => call(onEvent, event), onCall: () => {} };
}

/**
 * @param {RLMRunOptions["onChild"]} onChild the caller's
 * @param {(child: RLMChild) => void} [replay] of a run that is made from a log
 * @returns {{onChild?: (child: RLMChild) => void}}
 */
export function childListener(onChild, replay) {
  if (onChild === undefined) return { onChild: replay };
  return {
    onChild(child) {
      call(onChild, child);
      replay?.(child);
    },
  };
}

/**
 * Collects the blocks of each iteration, for the caller's function when it is over.
 * @param {(iteration: RLMIteration) => void} onIteration
 */
function iterationsOf(onIteration) {
  /** @type {RLMCodeBlock[]} */
  let codeBlocks = [];
  let code = "";
  return (/** @type {Event} */ event) => {
    if (event.type === "iteration_started") codeBlocks = [];
    else if (event.type === "block_started") code = event.code;
    else if (event.type === "block_finished") {
      const { stdout, value, error, seconds } = event.observation;
      codeBlocks.push({ code, stdout, value, error, seconds });
    } else if (event.type === "iteration_finished")
      onIteration({ index: event.iteration - 1, response: event.reply, codeBlocks });
  };
}

/**
 * Call the caller's function; its fault is its own, reported as uncaught, and does not touch the run.
 * @template T
 * @param {((value: T) => void) | null} callback
 * @param {T} value
 */
function call(callback, value) {
  try {
    callback?.(value);
  } catch (error) {
    reportError(error);
  }
}
