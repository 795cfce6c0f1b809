// @ts-check
// Fork: a run that begins as a recorded one did and is live from an iteration on, with another question or model.
//
// In: the log, and the number of the iteration. Out: the answers of models and tools until then, in their order, whatever
// the question and the models are now; the code runs again, over the same context. Then, or as soon as the code makes a
// request that is not in the log, the endpoint answers.

import { withImages } from "../calls/images.js";
import { readTrajectory } from "../log/trajectory.js";
import { parseRequest } from "../wire/complete_request.js";
import { configError } from "../wire/errors.js";
import { answerFrom, openCassette, playedTool, playedTools } from "./cassette.js";
import { checkContexts, startOf } from "./context_check.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Source} Source
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {{log: string, iteration: number}} Fork
 */

const SHOWN_CHARS = 120;

/**
 * Conversations in their order, since the question may be another; a prompt of model code by its text.
 * @type {import("./cassette.js").KeyOf}
 */
function inTurn(kind, { messages, pictures = [] }) {
  const isRoot = kind === "root"; // a compaction was logged as a sub-call in earlier versions
  const images = pictures.map(({ sha256 }) => sha256);
  return JSON.stringify(messages.length > 1 ? [isRoot] : [isRoot, messages[0]?.content, ...images]);
}

/**
 * @param {Fork} fork
 * @returns {import("./cassette.js").Made}
 */
export function openFork(fork) {
  const { log, iteration } = checked(fork);
  const { events } = readTrajectory(log);
  const started = startOf(events);
  const cassette = openCassette(before(events, iteration), inTurn);
  const refused = new AbortController();
  let iterations = 0;
  let isLive = false;
  let contexts = 0;
  /** @type {Error | null} */
  let fault = null;

  /** The recorded outcomes of a request, null when it goes to the endpoint. */
  const outcomesFor = (
    /** @type {number[]} */ path,
    /** @type {Kind} */ kind,
    /** @type {RequestedCall[]} */ calls,
  ) => {
    if (path.length === 0 && kind === "root") iterations += 1;
    if (iterations >= iteration) isLive = true;
    if (isLive) return null;
    const outcomes = calls
      .map((call) => cassette.take(path, kind, call)?.outcome ?? null)
      .filter((outcome) => outcome !== null);
    return outcomes.length === calls.length ? outcomes : null;
  };

  /** @type {Source} */
  const source = {
    lost: cassette.lost,
    answering({ path, witness, recorder, live }) {
      /** @type {Usage} */
      const usage = {};
      let isNoticed = path.length > 0;
      return {
        usage: () => structuredClone(usage),
        async handle(body, answer, data) {
          if (!isNoticed) recorder.record({ type: "notice", code: "forked", text: forkedFrom(started, iteration) });
          isNoticed = true;
          const { kind, calls: requested } = parseRequest(body, answer.value);
          const calls = isLive ? requested : await withImages(requested, data);
          const outcomes = outcomesFor(path, kind, calls);
          if (outcomes !== null) return answerFrom({ kind, calls, outcomes }, witness, answer, usage);
          if (!isLive) recorder.record({ type: "notice", code: "diverged", text: differs(iterations) });
          isLive = true;
          return live(body, answer, data);
        },
      };
    },
    tools: (path, functions) =>
      playedTools(functions, (called, live) => {
        const recorded = isLive ? null : cassette.takeTool(path, called);
        return recorded === null ? live() : playedTool(recorded);
      }),
  };

  return {
    source,
    end: refused.signal,
    job(job) {
      contexts = job.contexts.length;
      return beginningAs(job, started, iteration);
    },
    watched: (onEvent) => (event) => {
      if (event.type === "run_started" && event.path.length === 0) fault = checkContexts(started, event, contexts);
      if (fault === null) onEvent(event);
      else refused.abort();
    },
    close(result) {
      if (fault !== null) throw fault;
      return result;
    },
  };
}

/**
 * @param {Fork} fork
 * @returns {Fork}
 */
function checked({ log, iteration }) {
  if (typeof log !== "string") throw configError(`fork.log must be the text of a trajectory, not ${typeof log}.`);
  if (!Number.isSafeInteger(iteration) || iteration < 1)
    throw configError(`fork.iteration must be a whole number of at least 1, not ${iteration}.`);
  return { log, iteration };
}

/**
 * The events of the iterations before, with all of their child runs.
 * @param {Event[]} events
 * @param {number} iteration
 */
function before(events, iteration) {
  const starts = events.filter((event) => event.type === "iteration_started" && event.path.length === 0);
  if (iteration > starts.length + 1)
    throw configError(
      `the recorded run has ${starts.length} iterations; it cannot be forked from iteration ${iteration}.`,
    );
  const at = events.findIndex(
    (event) => event.type === "iteration_started" && event.path.length === 0 && event.iteration === iteration,
  );
  return at === -1 ? events : events.slice(0, at);
}

/**
 * The recorded models and their options where no others are wanted, and room for the child runs that there were.
 * @param {StartJob} job
 * @param {Event & {type: "run_started"}} started
 * @param {number} iteration
 * @returns {StartJob}
 */
function beginningAs(job, started, iteration) {
  const { model, sub_model, model_options, sub_model_options, schema, limits: recorded } = started;
  const most = Number(job.limits.max_iterations);
  if (iteration > most)
    throw configError(`a fork from iteration ${iteration} needs maxIterations of at least that, not ${most}.`);
  const max_depth = Math.max(Number(job.limits.max_depth), Number(recorded.max_depth ?? 1));
  return {
    ...job,
    schema: job.schema ?? schema ?? null,
    model: job.model ?? model,
    sub_model: job.sub_model ?? sub_model,
    model_options: isEmpty(job.model_options) ? model_options : job.model_options,
    sub_model_options: isEmpty(job.sub_model_options) ? sub_model_options : job.sub_model_options,
    limits: { ...job.limits, max_depth },
  };
}

/** @param {object} options */
function isEmpty(options) {
  return Object.keys(options).length === 0;
}

/**
 * @param {Event & {type: "run_started"}} event
 * @param {number} iteration
 */
function forkedFrom({ question, model }, iteration) {
  const asking = JSON.stringify(question.length > SHOWN_CHARS ? `${question.slice(0, SHOWN_CHARS)}…` : question);
  const answered =
    iteration === 1 ? "nothing is" : iteration === 2 ? "iteration 1 is" : `iterations 1 to ${iteration - 1} are`;
  return `forked from iteration ${iteration} of the run ${asking} by ${model ?? "the default model"}: ${answered} answered from its log.`;
}

/** @param {number} iteration */
function differs(iteration) {
  return `in iteration ${iteration} the run took another way than the one that it was forked from: from here on models are asked.`;
}
