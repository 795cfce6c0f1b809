// @ts-check
// Children: runs child runs, each with a worker of its own, one level below the run that asks for them.
//
// In: the body of a `child` request and the contexts' bytes beside it. Out: a frame per child, in order of completion:
// its final answer, or why there is none. The caller is told of each child and can stop it alone. How a run is made is
// not known here: that is the `runJob` that is given.

import { CHILD_STOPPED, failed, toOutcome } from "../wire/child_outcome.js";
import { encodeFrame } from "../wire/frames.js";
import { protocolError, providerError, toWireError } from "../wire/errors.js";
import { CHILD_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").ChildRequest} ChildRequest
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("../wire/protocol.js").RequestedChild} RequestedChild
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("./run.js").RunOptions} RunOptions
 * @typedef {{job: StartJob, stop: AbortController}} ToldChild one that was asked for and told of
 */

const MAX_CHILDREN = 1_000;

/**
 * @param {object} options
 * @param {RunOptions & {tree: import("./budget.js").Tree, gate: import("../egress/gate.js").Gate}} options.parent
 * @param {import("../wire/types.d.ts").Recorder} options.recorder the parent's
 * @param {(options: RunOptions) => Promise<{result: RunResult}>} options.runJob
 */
export function openChildren({ parent, recorder, runJob }) {
  const { job, tree, past = null } = parent;
  const { places } = tree;
  const stopping = new AbortController();
  const ending = new AbortController();
  let next = past?.nextChild ?? 0;

  /** Number the child and tell of it, before it waits for its place. @returns {ToldChild} */
  const toldOf = (/** @type {RequestedChild} */ child, /** @type {{data: ArrayBuffer, number: number}} */ given) => {
    const below = childJob(job, child, given);
    const stop = new AbortController();
    const { path, question, model } = below;
    parent.onChild?.({ path, question, model, stop: () => stop.abort() });
    return { job: below, stop };
  };

  /** @returns {Promise<Outcome>} */
  const outcomeOf = async (/** @type {ToldChild} */ { job: below, stop }, /** @type {AbortSignal} */ above) => {
    if (above.aborted) return failed("the run was stopped");
    if (stop.signal.aborted) return failed(`${CHILD_STOPPED}.`);
    const refusal = await parent.gate.refusal([below]);
    if (refusal !== null) return { error: toWireError(refusal) };
    const signal = AbortSignal.any([above, stop.signal]);
    const functions = parent.functions && functionsBelow(parent.functions);
    const before = past?.children.get(below.path[below.path.length - 1]) ?? null;
    const log = recorder.below(below.path, before !== null);
    const own = { job: below, recorder: log, signal, end: ending.signal, functions, past: before };
    try {
      const { result } = await runJob({ ...parent, ...own, session: undefined });
      return toOutcome(result, stop.signal.aborted && !above.aborted);
    } catch (error) {
      return { error: toWireError(error) };
    }
  };

  const inPlace = async (/** @type {() => Promise<Outcome>} */ work) => {
    await places.enter(job.path.length + 1);
    return work().finally(places.leave);
  };

  /** The numbers of `count` child runs that begin now, written down before they do. */
  const numbered = (/** @type {number} */ count, /** @type {string} */ mark) => {
    const children = Array.from({ length: count }, () => next++);
    recorder.record({ type: "request_started", op: "child", mark, name: "", children });
    return children;
  };

  return {
    /** @type {import("../wire/channel.js").Handler} */
    async handle(body, answer, data) {
      const children = parseRequest(body, data, job);
      tree.admit(children.length);
      const numbers = answer.again ?? numbered(children.length, answer.mark?.() ?? "");
      const signal = AbortSignal.any([answer.signal, stopping.signal, ending.signal]);
      const isChild = job.path.length > 0;
      if (isChild) places.leave();
      await Promise.all(
        children.map(async (child, index) => {
          const told = toldOf(child, { data: data[index], number: numbers[index] });
          const outcome = await inPlace(() => outcomeOf(told, signal));
          answer.write(encodeFrame(index, outcome));
        }),
      );
      if (isChild) await places.enter(job.path.length);
      answer.end();
    },
    /** Ask all of them to stop. */
    stop: () => stopping.abort(),
    /** End all of them now. */
    close: () => ending.abort(),
  };
}

/**
 * @param {string} body
 * @param {ArrayBuffer[]} data
 * @param {StartJob} job
 * @returns {RequestedChild[]}
 */
function parseRequest(body, data, { path, limits }) {
  const value = /** @type {unknown} */ (JSON.parse(body));
  const wrong = mismatch(CHILD_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  const { children } = /** @type {ChildRequest} */ (value);
  if (path.length + 1 >= Number(limits.max_depth)) throw protocolError(`child runs at depth ${path.length + 1}.`);
  if (children.length > MAX_CHILDREN)
    throw providerError(`${children.length} child runs at once; ${MAX_CHILDREN} are allowed.`);
  if (children.length !== data.length || !data.every((bytes) => bytes instanceof ArrayBuffer))
    throw protocolError(`${data.length} contexts for ${children.length} child runs.`);
  return children;
}

/**
 * @param {StartJob} parent
 * @param {RequestedChild} child
 * @param {{data: ArrayBuffer, number: number}} given
 * @returns {StartJob}
 */
function childJob(parent, { question, model, context }, { data, number }) {
  const files = parent.contexts.filter(({ type }) => type === "file" || type === "mounted");
  /** @type {JobContext[]} */
  const mounted = files.map((file) => ({ ...file, type: "mounted" }));
  /** @type {JobContext[]} */
  const own = context === "none" ? [] : [{ name: "context", type: context, data }];
  return {
    ...parent,
    question,
    model: model ?? parent.model,
    tools: parent.sub_tools ?? parent.tools,
    contexts: [...own, ...mounted],
    path: [...parent.path, number],
  };
}

/** @returns {import("../wire/types.d.ts").Functions} */
function functionsBelow(/** @type {import("../wire/types.d.ts").Functions} */ { tools, subTools }) {
  return {
    tools: subTools ?? tools,
    subTools,
  };
}
