// @ts-check
// Tree: a root run with all that its child runs share: limits, log, ledger and gate.
//
// In: the root's job, the caller's listeners and functions, and the log that the run is made from, if there is one. Out:
// the result with its log.

import { beyondMeasure } from "../egress/context_index.js";
import { reenter } from "../egress/egress.js";
import { openAllowedModels } from "../egress/allowed_models.js";
import { openGate } from "../egress/gate.js";
import { openRecorder } from "../log/recorder.js";
import { configError } from "../wire/errors.js";
import { openBudget } from "./budget.js";
import { keepingReplies } from "./requests.js";
import { runJob } from "./run.js";
import { openSlots } from "./slots.js";
import { openUsage } from "./usage_by_path.js";

/**
 * @typedef {import("../egress/ledger.js").Ledger} Ledger
 * @typedef {import("../recovery/types.d.ts").ResumedLog} ResumedLog
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("./types.d.ts").FinishedRun} FinishedRun
 * @typedef {import("./types.d.ts").Tree} Tree
 * @typedef {import("./types.d.ts").TreeOptions} TreeOptions
 */

const CONTINUED = "the run is continued from its journal";

/**
 * @param {TreeOptions} options
 * @returns {Promise<FinishedRun>}
 */
export async function runTree(options) {
  const { job, listeners, functions, signal, end, journal = null, resumed = null, session = null, ledger } = options;
  const { notices = [], keepImages } = options;
  const { onEvent } = listeners;
  /** @type {import("../log/recorder.js").Sink} */
  const sink = (line, type, path) => journal?.append(line, type, path.length === 0 && tree.keepsReplies());
  const recorder = openRecorder({ path: job.path, onEvent, resumed, keepImages, sink });
  const tree = openTree(options);
  let isKept = resumed !== null;
  try {
    if (resumed !== null) restore(resumed, tree, recorder);
    searchFromNow(options);
    const result = await runJob({ job, tree, recorder, functions, signal, end, resumed, session, notices });
    isKept = false;
    const { byPath, recorded, ofCompaction } = tree.usage;
    const usage = { usageByPath: byPath, usageFromRecord: recorded, usageOfCompaction: ofCompaction };
    return { result, trajectory: recorder.trajectory, events: recorder.events, ...usage, egress: ledger.summary() };
  } finally {
    await (isKept ? journal?.leave() : journal?.close());
  }
}

/**
 * @param {TreeOptions} options
 * @returns {Tree}
 */
function openTree(options) {
  const { job, hosting, listeners, onEgress, allowUnknownPrice, ledger } = options;
  const { journal = null, resumed = null, source = null, idempotencyKey = crypto.randomUUID() } = options;
  return {
    hosting,
    listeners,
    budget: openBudget(job.limits, { allowUnknownPrice }),
    usage: openUsage(),
    slots: openSlots(Number(job.limits.max_concurrency ?? 4)),
    ledger,
    gate: openGate({ maxContextChars: maxContextChars(job), onEgress, allowedModels: allowedIn(options) }),
    journal,
    keepsReplies: keepingReplies(hosting),
    source,
    name: resumed === null ? idempotencyKey : nameOf(resumed, journal),
  };
}

/**
 * The job's models, and those that the caller allows beside them.
 * @param {TreeOptions} options
 */
function allowedIn({ job, ledger, allowedModels }) {
  const forCode = [...(job.sub_model === null ? [] : [job.sub_model]), ...(allowedModels ?? [])];
  const { defaultModel, hasTools, takesImages } = ledger.destinations;
  return openAllowedModels({ models: [job.model, ...forCode], forCode, defaultModel, hasTools, takesImages });
}

/**
 * Name of a resumed run; a log of an earlier version has none: then it was that of its journal.
 * @param {ResumedLog} resumedLog
 * @param {Tree["journal"]} journal
 */
function nameOf({ run }, journal) {
  return run || (journal?.name ?? crypto.randomUUID());
}

/** The events, the usage and the counts of earlier sessions. */
function restore(
  /** @type {ResumedLog} */ resumed,
  /** @type {Tree} */ tree,
  /** @type {import("../wire/types.d.ts").Recorder} */ recorder,
) {
  tree.usage.restore(resumed.usage);
  for (const { model, usage } of compactionsIn(resumed.events)) tree.usage.addCompaction(model, usage);
  tree.budget.restore(resumed);
  resumed.events.forEach(tree.listeners.onEvent);
  recorder.record({ type: "notice", code: "continued", text: [CONTINUED, ...resumed.notes].join("; ") });
}

/** @param {ResumedLog["events"]} events */
function compactionsIn(events) {
  const starts = events.filter((event) => event.type === "call_started" && event.kind === "compaction");
  const numbers = new Set(starts.map((event) => ("call" in event ? event.call : -1)));
  return events.filter((event) => event.type === "call_finished").filter(({ call }) => numbers.has(call));
}

/** @param {StartJob} startJob */
function maxContextChars({ limits }) {
  return typeof limits.max_context_chars === "number" ? limits.max_context_chars : null;
}

/**
 * Search for this run's contexts too, in calls that leave from now on and in those that left before. A limit that cannot
 * be kept is refused: a context that is too large to be searched cannot be counted. Where calls come from a record, none may
 * leave.
 * @param {TreeOptions} options
 */
function searchFromNow({ ledger, job, resumed = null, source = null }) {
  const [left] = maxContextChars(job) === null ? [] : beyondMeasure(job.contexts);
  if (left)
    throw configError(
      `maxContextChars cannot be kept: "${left.name}" is not searched (${left.why}). Leave it out, or drop the limit.`,
    );
  ledger.add(job.contexts);
  if (resumed !== null)
    reenter(ledger, resumed.events).catch(() => {}); // the next call reports a context that fails
  else if (source === null && !job.console) ledger.prepare();
}
