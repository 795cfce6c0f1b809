// @ts-check
// Replay: a recorded run executed once more without any model, and compared with its recording.
//
// In: its log, and the same question, context and tools. Out: the job, the answers of models and tools from the log, and
// an error at the first difference, with its position. It holds no way to the endpoint: a request that is not in the log is
// an error.

import { withImages } from "../calls/images.js";
import { hasSameMessages, keyOf } from "../log/recorded_calls.js";
import { readTrajectory } from "../log/trajectory.js";
import { parseRequest } from "../wire/complete_request.js";
import { replayError } from "../wire/errors.js";
import { answerFrom, openCassette, playedTool, playedTools } from "./cassette.js";
import { checkContexts, startOf } from "./context_check.js";
import { howTexts, openComparison } from "./difference.js";

/**
 * @typedef {import("../log/recorded_calls.js").RecordedCall} RecordedCall
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").ModelOptions} ModelOptions
 * @typedef {import("../wire/types.d.ts").Source} Source
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 */

/**
 * @param {string} log
 * @returns {import("./cassette.js").Made} rejects, and throws, ReplayErrors; a ConfigError where the log is none
 */
export function openReplay(log) {
  const { events } = readTrajectory(log);
  const started = startOf(events);
  const comparison = openComparison(events);
  const cassette = openCassette(events, keyOf);
  const over = new AbortController();
  let contexts = 0;
  let hasOwnPrompt = false;
  /** @type {Error | null} */
  let difference = null;

  /** @type {Map<string, () => void>} */
  const stops = new Map();
  const end = () => over.abort();
  /**
   * Here the recorded run was stopped: all of it, or a child alone.
   * @param {number[]} path
   */
  const endAt = (path) => (stops.get(`${path}`) ?? end)();
  /**
   * @param {number[]} path
   * @param {string} how
   */
  const differ = (path, how) => {
    const position = comparison.position(path);
    difference ??= replayError(`the replay differs from the recording${position && ` in ${position}`}: ${how}.`);
    end();
    return difference;
  };
  /**
   * @param {number[]} path
   * @param {Kind} kind
   * @param {RequestedCall} call
   */
  const outcomeFor = (path, kind, call) => {
    const recorded = cassette.take(path, kind, call);
    const isEqual =
      recorded !== null &&
      hasSameMessages(recorded.call, call) &&
      !(hasOwnPrompt && systemOf(recorded.call) !== systemOf(call));
    if (!isEqual && !comparison.isOver(path))
      throw differ(path, howCalls(kind, recorded ?? cassette.next(path, kind), call, hasOwnPrompt));
    return recorded?.outcome ?? null;
  };

  /** @type {Source} */
  const source = {
    lost: cassette.lost,
    answering({ path, witness }) {
      /** @type {Usage} */
      const usage = {};
      return {
        usage: () => structuredClone(usage),
        async handle(body, answer, data) {
          const { kind, calls: requested } = parseRequest(body, answer.value);
          const calls = await withImages(requested, data);
          const recorded = calls.map((call) => outcomeFor(path, kind, call));
          const outcomes = recorded.filter((outcome) => outcome !== null);
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
  /** @param {Event} event */
  const compare = (event) => {
    const { path } = event;
    if (event.type === "run_started" && path.length === 0) difference ??= checkContexts(started, event, contexts);
    if (difference !== null) return end();
    if (comparison.isBeyond(event)) return endAt(path);
    const how = comparison.differs(event);
    if (how !== null) differ(path, how);
  };

  return {
    source,
    end: over.signal,
    job(job) {
      contexts = job.contexts.length;
      hasOwnPrompt = job.system_prompt !== null;
      return sameJob(job, started);
    },
    watched: (onEvent) => (event) => {
      if (!over.signal.aborted) compare(event);
      if (!over.signal.aborted) onEvent(event);
    },
    onChild({ path, stop }) {
      stops.set(`${path}`, stop);
      if (!comparison.isKnown(path)) stop(); // as in the recorded run: there it was stopped before it began
    },
    close(result) {
      const left = difference ?? comparison.left();
      if (left !== null)
        throw left instanceof Error ? left : replayError(`the replay differs from the recording: ${left}.`);
      return comparison.isWhole ? result : asRecorded(result, comparison.ending);
    },
  };
}

/**
 * The system message of a call; where the caller wrote none, it is this version's own, and not compared.
 * @param {RequestedCall} requestedCall
 */
function systemOf({ messages }) {
  return messages.find(({ role }) => role === "system")?.content ?? null;
}

/** @param {AbortSignal} signal */
function aborted(signal) {
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
function sameJob(job, started) {
  const { question, model, sub_model, model_options, sub_model_options, limits, schema, direct, console } = started;
  if (job.schema !== null && JSON.stringify(job.schema) !== JSON.stringify(schema))
    throw replayError(`the schema differs${howTexts(JSON.stringify(schema), JSON.stringify(job.schema))}.`);
  if (job.direct && !direct) throw replayError("the recorded run is no direct one. Replay it without `direct`.");
  if (job.question !== question) throw replayError(`the question differs${howTexts(question, job.question)}.`);
  const models = [
    ["model", model, job.model],
    ["sub model", sub_model, job.sub_model],
  ];
  const other = models.find(([, recorded, now]) => now !== null && now !== recorded);
  if (other) throw replayError(`the ${other[0]} differs: recorded ${other[1] ?? "the default"}, now ${other[2]}.`);
  checkOptions("model options", model_options, job.model_options);
  checkOptions("options of the sub model", sub_model_options, job.sub_model_options);
  const recorded = { model, sub_model, model_options, sub_model_options, schema, direct, console };
  return { ...job, ...recorded, limits: { ...job.limits, ...limits, max_seconds: null } };
}

/**
 * Model options that are set must be those of the recorded run.
 * @param {string} name
 * @param {ModelOptions} recorded
 * @param {ModelOptions} now
 */
function checkOptions(name, recorded, now) {
  const other = Object.keys(now).find((key) => now[key] !== recorded[key]);
  const left = Object.keys(now).length > 0 && Object.keys(recorded).find((key) => !Object.hasOwn(now, key));
  if (!other && !left) return;
  throw replayError(`the ${name} differ: recorded ${JSON.stringify(recorded)}, now ${JSON.stringify(now)}.`);
}

/**
 * How a request differs from the one that was recorded at its position.
 * @param {Kind} kind
 * @param {RecordedCall | null} recorded
 * @param {RequestedCall} now
 * @param {boolean} hasOwnPrompt whether the system message counts
 */
function howCalls(kind, recorded, now, hasOwnPrompt) {
  const subject = kind === "root" ? "the root model is asked" : "a sub-model is asked";
  if (recorded === null)
    return `${subject} once more than was recorded: ${JSON.stringify(now.messages.at(-1)?.content.slice(0, 60))}`;
  const { model, messages } = recorded.call;
  if (model !== now.model)
    return `${subject} by the name ${now.model ?? "of the default"}, recorded was ${model ?? "the default"}`;
  const at = now.messages.findIndex(
    ({ role, content }, index) =>
      (hasOwnPrompt || role !== "system" || messages[index]?.role !== role) &&
      (content !== messages[index]?.content || role !== messages[index].role),
  );
  if (at === -1 && now.messages.length === messages.length)
    return `${subject} with other images: ${imagesOf(now)}, recorded were ${imagesOf(recorded.call)}`;
  if (at === -1) return `${subject} with ${now.messages.length} messages, recorded were ${messages.length}`;
  const texts = howTexts(messages[at]?.content ?? null, now.messages[at].content);
  return `${subject} something else: message ${at + 1} of ${now.messages.length} (${now.messages[at].role}) differs${texts}`;
}

/** @param {RequestedCall} requestedCall */
function imagesOf({ pictures = [] }) {
  const digests = pictures.map(({ sha256 }) => sha256.slice(0, SHOWN_DIGITS)).join(", ");
  return `${pictures.length}${digests && ` (SHA-256 ${digests})`}`;
}

const SHOWN_DIGITS = 12;

/** @param {import("./cassette.js").ToolCall} toolCall */
function howTool({ name, args, kwargs }) {
  return `the tool ${name} is called with ${JSON.stringify({ args, kwargs }).slice(0, 120)}, which was not recorded`;
}

/**
 * The ending of a recording that was cut off, which no replay reaches by itself.
 * @param {RunResult} result
 * @param {(Event & {type: "run_finished"}) | null} ending
 * @returns {RunResult}
 */
function asRecorded(result, ending) {
  if (ending === null)
    return { ...result, stopped_by: "cancelled", detail: "The recording ends here: it was cut off." };
  const { answer, stopped_by, detail, value, evidence } = ending;
  return { ...result, answer, stopped_by, detail, value, evidence };
}
