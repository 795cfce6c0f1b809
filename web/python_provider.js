// @ts-check
/**
 * Python provider: model calls that a function of the Python process answers (server/rlm_server/headless). In: the facts
 * of that function, and calls of the run. Out: its replies, and their pieces as they come. Nothing is checked here; see
 * worker/calls/page_provider.js.
 */

import { python } from "./python.js";

/** @typedef {import("/rlm/rlm.js").RLMProvider} RLMProvider */
/** @typedef {{reply: import("/rlm/rlm.js").RLMProviderReply} | {error: {name: string, message: string}}} Outcome */
/** @type {Map<number, (text: string) => void>} by number of the call */
const takers = new Map();
let lastCall = 0;

/**
 * @param {import("/rlm/rlm.js").RLMProviderFacts} facts
 * @param {() => string} id of the run that is under way
 * @returns {RLMProvider}
 */
export function pythonProvider(facts, id) {
  /** @type {RLMProvider} */
  const provider = async ({ signal, onDelta, ...call }) => {
    const run = id();
    const number = ++lastCall;
    const stop = () => {
      takers.delete(number);
      python.rlmModelStop(run, number);
    };
    takers.set(number, onDelta);
    signal.addEventListener("abort", stop, { once: true });
    try {
      const outcome = /** @type {Outcome} */ (JSON.parse(await python.rlmModel(run, number, JSON.stringify(call))));
      if ("error" in outcome) throw Object.assign(new Error(outcome.error.message), outcome.error);
      return outcome.reply;
    } finally {
      takers.delete(number);
      signal.removeEventListener("abort", stop);
    }
  };
  return Object.assign(provider, facts);
}

/**
 * Take a piece of a reply; of a call that is over it is dropped.
 * @param {number} number
 * @param {string} text
 */
export function takePiece(number, text) {
  try {
    takers.get(number)?.(text);
  } catch {
    takers.delete(number); // the call ends with the fault of this piece
  }
}
