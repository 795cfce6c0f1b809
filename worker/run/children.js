// @ts-check
// Children: runs child runs, each with its own worker, one level below the run that asks for them.
//
// In: the body of a `child` request and the contexts' bytes beside it. Out: a frame per child, in order of completion: its
// final answer, or the reason why there is none. The caller hears of each child and can stop it alone. `runJob` is a
// parameter: this module does not know how a run is made.

import { CHILD_STOPPED, failed, toOutcome } from "../wire/child_outcome.js";
import { protocolError, providerError, toWireError } from "../wire/errors.js";
import { encodeFrame } from "../wire/frames.js";
import { CHILD_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("../wire/protocol.js").RequestedChild} RequestedChild
 * @typedef {import("../wire/protocol.js").RunResult} RunResult
 * @typedef {import("../wire/protocol.js").StartJob} StartJob
 * @typedef {import("../wire/types.d.ts").Functions} Functions
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {import("./types.d.ts").RunOptions} RunOptions
 * @typedef {{job: StartJob, stop: AbortController}} Child
 */

const MAX_CHILDREN = 1_000;

/**
 * @param {RunOptions} parent
 * @param {(options: RunOptions) => Promise<RunResult>} runJob
 */
export function openChildren(parent, runJob) {
  const { job, tree, recorder, resumed } = parent;
  const { slots } = tree;
  const stopping = new AbortController();
  const ending = new AbortController();
  let next = resumed?.nextChild ?? 0;

  /** Make the child's job and announce it, before it waits for its slot. @returns {Child} */
  const announced = (
    /** @type {RequestedChild} */ child,
    /** @type {{data: ArrayBuffer, number: number}} */ beside,
  ) => {
    const below = childJob(job, child, beside);
    const stop = new AbortController();
    const { path, question, model } = below;
    tree.listeners.onChild?.({ path, question, model, stop: () => stop.abort() });
    return { job: below, stop };
  };

  /**
   * @param {Child} child
   * @param {AbortSignal} above
   * @returns {Promise<Outcome>}
   */
  const outcomeOf = async ({ job: below, stop }, above) => {
    if (above.aborted) return failed("the run was stopped");
    if (stop.signal.aborted) return failed(`${CHILD_STOPPED}.`);
    const refusal = await tree.gate.refusal([below], { isOfCode: true });
    if (refusal !== null) return { error: toWireError(refusal) };
    const earlier = resumed?.children.get(below.path[below.path.length - 1]) ?? null;
    try {
      const result = await runJob({
        job: below,
        tree,
        recorder: recorder.below(below.path, earlier !== null),
        functions: functionsBelow(parent.functions),
        signal: AbortSignal.any([above, stop.signal]),
        end: ending.signal,
        resumed: earlier,
        session: null,
        notices: [],
      });
      return toOutcome(result, stop.signal.aborted && !above.aborted);
    } catch (error) {
      return { error: toWireError(error) };
    }
  };

  /** @param {() => Promise<Outcome>} work */
  const inSlot = async (work) => {
    await slots.enter(job.path.length + 1);
    return work().finally(slots.leave);
  };

  /**
   * Numbers of `count` child runs that are about to begin, recorded first.
   * @param {number} count
   * @param {string} mark
   */
  const numbered = (count, mark) => {
    const children = Array.from({ length: count }, () => next++);
    recorder.record({ type: "request_started", op: "child", mark, name: "", children });
    return children;
  };

  return {
    /** @type {import("../wire/types.d.ts").Handler} */
    async handle(body, answer, data) {
      const children = parseRequest(body, data, job);
      tree.budget.admit(children.length);
      const numbers = answer.again ?? numbered(children.length, answer.mark?.() ?? "");
      const signal = AbortSignal.any([answer.signal, stopping.signal, ending.signal]);
      const isChild = job.path.length > 0;
      if (isChild) slots.leave();
      await Promise.all(
        children.map(async (requested, index) => {
          const child = announced(requested, { data: data[index], number: numbers[index] });
          const outcome = await inSlot(() => outcomeOf(child, signal));
          answer.write(encodeFrame(index, outcome));
        }),
      );
      if (isChild) await slots.enter(job.path.length);
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
  const value = JSON.parse(body);
  const wrong = mismatch(CHILD_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  /** @type {RequestedChild[]} */
  const children = value.children;
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
 * @param {{data: ArrayBuffer, number: number}} beside
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
    schema: null,
    contexts: [...own, ...mounted],
    path: [...parent.path, number],
  };
}

/**
 * @param {Functions} functions
 * @returns {Functions}
 */
function functionsBelow({ tools, subTools }) {
  return { tools: subTools ?? tools, subTools };
}
