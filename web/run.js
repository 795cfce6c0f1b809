// @ts-check
/**
 * A run as the page shows it. In: the run's events, one at a time. Out: a `RunView`, changed in place.
 *
 * Nothing here draws, and no text is interpreted. Calls of child runs are counted; only the root run's iterations are
 * kept.
 */

import { Printed } from "./printed.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./types/run.js").CallView} CallView */
/** @typedef {import("./types/run.js").CallGroup} CallGroup */
/** @typedef {import("./types/run.js").Handlers} Handlers */
/**
 * @template {RunEvent["type"]} T
 * @typedef {import("./types/run.js").EventOf<T>} EventOf
 */

/**
 * @param {string} question
 * @param {string} contextSummary
 * @returns {RunView}
 */
export function newRun(question, contextSummary) {
  return {
    phase: "starting",
    question,
    contextSummary,
    model: "",
    maxIterations: null,
    startedAt: performance.now(),
    totalSeconds: null,
    iterations: [],
    calls: new Map(),
    unplaced: newGroup(),
    counts: { started: 0, finished: 0, failed: 0 },
    tokens: { input: 0, output: 0 },
    notices: [],
    events: [],
    partial: "",
    stopping: false,
    result: null,
    problem: null,
  };
}

/** @type {Handlers} */
const HANDLERS = {
  run_started(run, event) {
    if (event.path.length > 0) return;
    run.model = event.model ?? "";
    run.maxIterations = Number(event.limits["max_iterations"]) || null;
  },
  iteration_started(run, event) {
    if (event.path.length > 0) return;
    run.phase = "running";
    run.iterations.push(newIteration(event));
  },
  call_started(run, event) {
    const call = newCall(event);
    run.calls.set(event.call, call);
    run.counts.started += 1;
    if (event.kind === "sub") addCall(currentGroup(run), call, event.batch);
    touch(run.iterations.at(-1));
  },
  call_finished(run, event) {
    const call = run.calls.get(event.call);
    if (!call) return;
    finishCall(call, event);
    run.counts.finished += 1;
    run.counts.failed += call.state === "failed" ? 1 : 0;
    run.tokens.input += event.usage.input_tokens;
    run.tokens.output += event.usage.output_tokens;
    const iteration = run.iterations.at(-1);
    if (iteration && call.kind === "root" && event.path.length === 0) iteration.reply ??= event.text;
    touch(iteration);
  },
  block_started(run, event) {
    if (event.path.length > 0) return;
    const iteration = iterationOf(run, event);
    iteration?.blocks.push({
      block: event.block,
      code: event.code,
      printed: new Printed(),
      observation: null,
      startedAt: event.seconds,
      subCalls: run.unplaced,
    });
    run.unplaced = newGroup();
    touch(iteration);
  },
  output(run, event) {
    if (event.path.length > 0) return;
    blockOf(run, event)?.printed.append(event.text);
    touch(iterationOf(run, event));
  },
  block_finished(run, event) {
    if (event.path.length > 0) return;
    const block = blockOf(run, event);
    if (block) observe(block, event.observation);
    const iteration = iterationOf(run, event);
    if (iteration && event.observation.error !== null) iteration.failed = true;
    if (event.partial) run.partial = event.partial;
    touch(iteration);
  },
  iteration_finished(run, event) {
    const iteration = event.path.length === 0 ? iterationOf(run, event) : undefined;
    if (!iteration) return;
    iteration.reply = event.reply;
    iteration.seconds = event.seconds - iteration.startedAt;
    touch(iteration);
  },
  tool_called(run) {
    touch(run.iterations.at(-1));
  },
  notice(run, event) {
    run.notices.push(event.text);
  },
  run_finished(run, event) {
    if (event.path.length === 0) run.partial = event.answer || run.partial;
  },
};

/**
 * Bring `run` up to date with one event; events of a type that the page does not know are left out.
 *
 * @param {RunView} run
 * @param {RunEvent} event
 */
export function applyEvent(run, event) {
  const handler = /** @type {((run: RunView, event: RunEvent) => void) | undefined} */ (HANDLERS[event.type]);
  handler?.(run, event);
  if (event.type !== "output") run.events.push(event);
}

/**
 * The run is over, with a result or with a fault of ours. What was under way is shown as it was left.
 *
 * @param {RunView} run
 * @param {{result?: import("./types/run.js").RLMResult, problem: import("./types/run.js").Problem | null}} ending
 */
export function finishRun(run, { result, problem }) {
  run.phase = "finished";
  run.totalSeconds = (performance.now() - run.startedAt) / 1000;
  run.result = result ?? null;
  run.problem = problem;
  run.iterations.forEach(touch);
}

/** How many calls of a group are in each state. @param {CallGroup} group */
export function callStates(group) {
  const states = { waiting: Math.max(0, group.expected - group.calls.length), running: 0, done: 0, failed: 0 };
  for (const call of group.calls) states[call.state] += 1;
  return states;
}

/** @param {EventOf<"iteration_started">} event @returns {IterationView} */
function newIteration(event) {
  return {
    iteration: event.iteration,
    reply: null,
    blocks: [],
    startedAt: event.seconds,
    seconds: null,
    failed: false,
    version: 0,
  };
}

/** @param {EventOf<"call_started">} event @returns {CallView} */
function newCall(event) {
  return {
    call: event.call,
    kind: event.kind,
    state: "running",
    model: event.model ?? "",
    prompt: event.messages.map((message) => message.content).join("\n\n"),
    reply: "",
    error: "",
    startedAt: event.seconds,
    seconds: 0,
  };
}

/** @param {CallView} call @param {EventOf<"call_finished">} event */
function finishCall(call, event) {
  call.state = event.error === null ? "done" : "failed";
  call.model = event.model || call.model;
  call.reply = event.text ?? "";
  call.error = event.error ?? "";
  call.seconds = event.seconds - call.startedAt;
}

/** @returns {CallGroup} */
function newGroup() {
  return { calls: [], expected: 0 };
}

/** A batch announces its size with each of its calls: those not started yet are waiting.
 * @param {CallGroup} group @param {CallView} call @param {number} batch */
function addCall(group, call, batch) {
  if (group.calls.length >= group.expected) group.expected = group.calls.length + batch;
  group.calls.push(call);
}

/** Where a sub-call belongs: the block that runs, else the next one to be told of. @param {RunView} run */
function currentGroup(run) {
  const block = run.iterations.at(-1)?.blocks.at(-1);
  return block && block.observation === null ? block.subCalls : run.unplaced;
}

/** @param {BlockView} block @param {import("./types/run.js").Observation} observation */
function observe(block, observation) {
  block.observation = observation;
  if (block.printed.chars === 0) block.printed.append(observation.stdout);
}

/** @param {RunView} run @param {{iteration: number}} place */
function iterationOf(run, place) {
  const last = run.iterations.at(-1);
  return last?.iteration === place.iteration ? last : run.iterations.find((one) => one.iteration === place.iteration);
}

/** @param {RunView} run @param {{iteration: number, block: number}} place */
function blockOf(run, place) {
  return iterationOf(run, place)?.blocks.find((block) => block.block === place.block);
}

/** @param {IterationView | undefined} iteration */
function touch(iteration) {
  if (iteration) iteration.version += 1;
}
