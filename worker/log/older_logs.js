// @ts-check
// Older logs: events as an earlier version wrote them, with the fields that came later.
//
// In: a parsed line of a log. Out: the same with each later field that it lacks, read from the sentence that stood for it
// then. Only here does the program read its own sentences; a new field of an event gets its row here.

/** @typedef {Record<string, unknown>} Fields */

const CALL_STOPPED = "the call was stopped";
const WORKER_DIED = "The Python interpreter died in this block";
const TIMED_OUT = "the block was stopped after";
const RUN_STOPPED = "KeyboardInterrupt: the run was stopped.";
const CONTINUED = "the run is continued from its journal";

const NO_FACTS = { finish_reason: null, reasoning: "", from_store: false };

/** Those of a run's begin. */
export const LATER_OF_RUN = {
  run: "",
  model_options: {},
  sub_model_options: {},
  schema: null,
  direct: false,
  console: false,
};

/** Later fields, by type of event. @type {Record<string, (fields: Fields) => Fields>} */
const LATER = {
  run_started: () => LATER_OF_RUN,
  run_finished: () => ({ value: null, evidence: [] }),
  call_started: () => ({ options: {}, images: [], ahead: null }),
  egress: () => ({ image_bytes: 0 }),
  call_finished: ({ error }) => ({ stopped: error === CALL_STOPPED ? "cancelled" : null, ...NO_FACTS }),
  block_finished: ({ observation }) => ofBlock(fieldsOf(observation).error),
  tool_called: () => ({ arguments_json: null, result_json: null }),
  notice: ({ text }) => ({ code: begins(text, CONTINUED) ? "continued" : null }),
};

/**
 * @param {Fields} event
 * @returns {Fields} `event` with the fields that an event of its type has today
 */
export function upgraded(event) {
  const later = Object.hasOwn(LATER, String(event.type)) ? LATER[String(event.type)](event) : {};
  return { ...later, ...event };
}

/** @param {unknown} error */
function ofBlock(error) {
  const stopped = begins(error, TIMED_OUT) ? "timed_out" : error === RUN_STOPPED ? "cancelled" : null;
  return { lost: begins(error, WORKER_DIED), stopped };
}

/**
 * @param {unknown} text
 * @param {string} words
 */
function begins(text, words) {
  return typeof text === "string" && text.startsWith(words);
}

/**
 * @param {unknown} value
 * @returns {Fields}
 */
function fieldsOf(value) {
  return Object(value);
}
