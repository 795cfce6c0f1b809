// @ts-check
// Rerun: a recorded run made again without any model, and whether it goes as it went.
//
// In: its log, and the same question, context and tools. Out: the job, the answers of models and tools from the log, and
// an error at the first difference, with its place. It holds no way to the endpoint: what was not recorded is an error.

import { howTexts, openAgreement } from "./difference.js";
import { parseRequest } from "../wire/complete_request.js";
import { answerFrom, exactly, openCassette, playedTool, playedTools } from "./cassette.js";
import { checkContexts, startOf } from "./context_check.js";
import { replayError } from "../wire/errors.js";
import { readTrajectory } from "../log/trajectory.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/protocol.js").RequestedCall} RequestedCall
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("./cassette.js").Kind} Kind
 * @typedef {import("./cassette.js").RecordedCall} RecordedCall
 */

/**
 * @param {string} log
 * @returns {import("./cassette.js").Made} rejects, and throws, ReplayErrors; a ConfigError where the log is none
 */
export function openRerun(log) {
  const { events } = readTrajectory(log);
  const started = startOf(events);
  const agreement = openAgreement(events);
  const cassette = openCassette(events, exactly);
  const over = new AbortController();
  let given = 0;
  /** @type {Error | null} */
  let difference = null;

  /** @type {Map<string, () => void>} */
  const stops = new Map();
  const end = () => over.abort();
  /** Here the recorded run was stopped: all of it, or a child alone. */
  const endAt = (/** @type {number[]} */ path) => (stops.get(`${path}`) ?? end)();
  const differ = (/** @type {number[]} */ path, /** @type {string} */ how) => {
    const place = agreement.place(path);
    difference ??= replayError(`the replay differs from the recording${place && ` in ${place}`}: ${how}.`);
    end();
    return difference;
  };
  const outcomesFor = (/** @type {number[]} */ path, /** @type {Kind} */ kind, /** @type {RequestedCall[]} */ calls) =>
    calls.map((call) => {
      const recorded = cassette.take(path, kind, call);
      if (recorded === null && !agreement.isOver(path))
        throw differ(path, howCalls(kind, cassette.next(path, kind), call));
      return recorded?.outcome ?? null;
    });

  /** @type {import("../wire/types.d.ts").Source} */
  const source = {
    lost: cassette.lost,
    answering({ path, witness }) {
      /** @type {Record<string, import("../wire/protocol.js").ModelUsage>} */
      const usage = {};
      return {
        usage: () => structuredClone(usage),
        async handle(body, answer) {
          const { kind, calls } = parseRequest(body);
          const found = outcomesFor(path, kind, calls);
          const outcomes = found.filter((outcome) => outcome !== null);
          if (outcomes.length === calls.length) return answerFrom({ kind, calls, outcomes }, witness, answer, usage);
          endAt(path);
          return aborted(answer.signal);
        },
      };
    },
    tools: (path, functions) =>
      playedTools(functions, (called) => {
        const recorded = cassette.takeTool(path, called);
        if (recorded === null) throw differ(path, howTool(called));
        return playedTool(recorded);
      }),
  };
  const follow = (/** @type {Event} */ event) => {
    const { path } = event;
    if (event.type === "run_started" && path.length === 0) difference ??= checkContexts(started, event, given);
    if (difference !== null) return end();
    if (agreement.isBeyond(event)) return endAt(path);
    const how = agreement.differs(event);
    if (how !== null) differ(path, how);
  };

  return {
    source,
    end: over.signal,
    job(job) {
      given = job.contexts.length;
      return sameJob(job, started);
    },
    watched: (onEvent) => (event) => {
      if (!over.signal.aborted) follow(event);
      if (!over.signal.aborted) onEvent(event);
    },
    onChild({ path, stop }) {
      stops.set(`${path}`, stop);
      if (!agreement.isKnown(path)) stop(); // as in the recorded run: there it was stopped before it began
    },
    close(result) {
      const left = difference ?? agreement.left();
      if (left !== null)
        throw left instanceof Error ? left : replayError(`the replay differs from the recording: ${left}.`);
      return agreement.isWhole ? result : asRecorded(result, agreement.ending);
    },
  };
}

function aborted(/** @type {AbortSignal} */ signal) {
  return new Promise((/** @type {(_: void) => void} */ resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

/**
 * The job of the recorded run; its time is not limited again.
 * @param {StartJob} job as the caller wants it
 * @param {Event & {type: "run_started"}} started
 * @returns {StartJob}
 */
function sameJob(job, { question, model, sub_model, limits }) {
  if (job.question !== question) throw replayError(`the question differs${howTexts(question, job.question)}.`);
  const given = [
    ["model", model, job.model],
    ["sub model", sub_model, job.sub_model],
  ];
  const other = given.find(([, recorded, now]) => now !== null && now !== recorded);
  if (other) throw replayError(`the ${other[0]} differs: recorded ${other[1] ?? "the default"}, now ${other[2]}.`);
  return { ...job, model, sub_model, limits: { ...job.limits, ...limits, max_seconds: null } };
}

/**
 * How a request differs from the one that was recorded in its place.
 * @param {Kind} kind
 * @param {RecordedCall | null} recorded
 * @param {RequestedCall} now
 */
function howCalls(kind, recorded, now) {
  const what = kind === "root" ? "the root model is asked" : "a sub-model is asked";
  if (recorded === null)
    return `${what} once more than was recorded: ${JSON.stringify(now.messages.at(-1)?.content.slice(0, 60))}`;
  const { model, messages } = recorded.call;
  if (model !== now.model)
    return `${what} by the name ${now.model ?? "of the default"}, recorded was ${model ?? "the default"}`;
  const at = now.messages.findIndex(
    ({ role, content }, index) => content !== messages[index]?.content || role !== messages[index].role,
  );
  if (at === -1) return `${what} with ${now.messages.length} messages, recorded were ${messages.length}`;
  const texts = howTexts(messages[at]?.content ?? null, now.messages[at].content);
  return `${what} something else: message ${at + 1} of ${now.messages.length} (${now.messages[at].role}) differs${texts}`;
}

function howTool(/** @type {import("./cassette.js").ToolCall} */ { name, args, kwargs }) {
  return `the tool ${name} is called with ${JSON.stringify({ args, kwargs }).slice(0, 120)}, which was not recorded`;
}

/**
 * The ending of a recording that was cut off, which no rerun can have of itself.
 * @param {RunResult} result
 * @param {(Event & {type: "run_finished"}) | null} ending
 * @returns {RunResult}
 */
function asRecorded(result, ending) {
  if (ending === null)
    return { ...result, stopped_by: "cancelled", detail: "The recording ends here: it was cut off." };
  const { answer, stopped_by, detail } = ending;
  return { ...result, answer, stopped_by, detail };
}
