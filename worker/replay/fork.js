// @ts-check
// Fork: a run that begins as a recorded one did and is live from an iteration on, with another question or model.
//
// In: the log, and the number of the iteration. Out: the answers of models and tools until then, in their order, whatever
// the question and the models are now; the code runs again, over the same context. Then, or as soon as the code makes a
// request that is not in the log, the endpoint answers. Code of the caller may take the place of the iteration's reply.

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
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("../wire/types.d.ts").Source} Source
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {{log: string, iteration: number, code: string[]}} Fork blocks of `code` in place of the reply; none: a model is asked
 * @typedef {{log: string, iteration: number, code?: string | string[]}} AskedFork
 */

/** Model of a reply that the caller wrote. */
const BY_CALLER = "edited";
const NOTHING_PAID = { calls: 0, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };

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
 * @param {AskedFork} fork
 * @returns {import("./cassette.js").Made}
 */
export function openFork(fork) {
  const { log, iteration, code } = checked(fork);
  const { events } = readTrajectory(log);
  const started = startOf(events);
  if (code.length > 0 && started.direct)
    throw configError("fork.code has no place in a direct run, which has no code: fork it without.");
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
    if (path.length === 0 && kind === "root") {
      iterations += 1;
      if (iterations === iteration && code.length > 0 && !isLive) return [writtenReply(code)];
    }
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
          if (!isNoticed)
            recorder.record({ type: "notice", code: "forked", text: forkedFrom(started, iteration, code) });
          isNoticed = true;
          const { kind, calls: requested } = parseRequest(body, answer.value);
          const calls = isLive ? requested : await withImages(requested, data);
          const outcomes = outcomesFor(path, kind, calls);
          const isPaid = !outcomes?.some(isWritten);
          if (outcomes !== null) return answerFrom({ kind, calls, outcomes }, witness, answer, isPaid ? usage : {});
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
 * A reply of the caller's code, a fence for each block, which no model was paid for.
 * @param {string[]} blocks
 * @returns {Outcome}
 */
function writtenReply(blocks) {
  const text = blocks.map(fenced).join("\n\n");
  return { completion: { text, model: BY_CALLER, usage: NOTHING_PAID, finish_reason: "stop", reasoning: "" } };
}

/** @param {Outcome} outcome */
function isWritten(outcome) {
  return "completion" in outcome && outcome.completion.model === BY_CALLER;
}

/**
 * The code in a fence that is longer than any in it.
 * @param {string} code
 */
function fenced(code) {
  const longest = Math.max(2, ...[...code.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}repl\n${code.replace(/\n$/, "")}\n${fence}`;
}

/**
 * @param {AskedFork} fork
 * @returns {Fork}
 */
function checked({ log, iteration, code = [] }) {
  if (typeof log !== "string") throw configError(`fork.log must be the text of a trajectory, not ${typeof log}.`);
  if (!Number.isSafeInteger(iteration) || iteration < 1)
    throw configError(`fork.iteration must be a whole number of at least 1, not ${iteration}.`);
  const blocks = [code].flat();
  if (!blocks.every((block) => typeof block === "string" && block.trim() !== ""))
    throw configError("fork.code must be Python text, or a list of blocks of it, none of them empty.");
  return { log, iteration, code: blocks };
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
 * @param {string[]} code
 */
function forkedFrom({ question, model }, iteration, code) {
  const asking = JSON.stringify(question.length > SHOWN_CHARS ? `${question.slice(0, SHOWN_CHARS)}…` : question);
  const answered =
    iteration === 1 ? "nothing is" : iteration === 2 ? "iteration 1 is" : `iterations 1 to ${iteration - 1} are`;
  const own = code.length > 0 ? `, and iteration ${iteration} runs code that the user wrote` : "";
  return `forked from iteration ${iteration} of the run ${asking} by ${model ?? "the default model"}: ${answered} answered from its log${own}.`;
}

/** @param {number} iteration */
function differs(iteration) {
  return `in iteration ${iteration} the run took another way than the one that it was forked from: from here on models are asked.`;
}
