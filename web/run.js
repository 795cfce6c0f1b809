// @ts-check
/**
 * A run as the page shows it, with the child runs below it. In: the run's events, one at a time, and the handles of its
 * child runs. Out: a `RunView`, changed in place.
 *
 * Nothing here draws, and no text is interpreted.
 */

import { FOR_WATCHING } from "/rlm/wire/protocol.js";
import { Printed } from "./printed.js";
import { addCall, finishCall, newCall, newWork, toolCall } from "./work.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").RunNode} RunNode */
/** @typedef {import("./types/run.js").ChildView} ChildView */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./types/run.js").CallView} CallView */
/** @typedef {import("./types/run.js").Handlers} Handlers */
/**
 * @template {RunEvent["type"]} T
 * @typedef {import("./types/run.js").EventOf<T>} EventOf
 */

/**
 * @param {string} question
 * @param {unknown} context
 * @param {string} contextSummary
 * @returns {RunView}
 */
export function newRun(question, context, contextSummary) {
  return {
    ...newNode(question),
    phase: "starting",
    contextSummary,
    startedAt: performance.now(),
    totalSeconds: null,
    calls: new Map(),
    children: new Map(),
    counts: { started: 0, finished: 0, failed: 0, denied: 0 },
    tokens: { input: 0, output: 0 },
    cost: { known: 0, unpriced: 0 },
    egress: { calls: [], bytes: 0, denied: 0, unused: 0, left: 0, of: 0, spans: new Map() },
    asksNoMore: false,
    context,
    events: [],
    stopping: false,
    isAway: false,
    isDirect: false,
    result: null,
    problem: null,
    recorded: null,
  };
}

/** @type {Handlers} */
const HANDLERS = {
  run_started(run, event) {
    const node = nodeAt(run, event.path);
    node.question = event.path.length > 0 ? event.question : node.question;
    node.model = event.model ?? "";
    node.maxIterations = Number(event.limits.max_iterations) || null;
    if (isChild(node)) node.startedAt = event.seconds;
    else run.isDirect = event.direct;
    touch(node);
  },
  iteration_started(run, event) {
    const node = nodeAt(run, event.path);
    run.phase = "running";
    node.iterations.push(newIteration(event));
    touch(node);
  },
  call_started(run, event) {
    const node = nodeAt(run, event.path);
    const call = newCall(event);
    run.calls.set(event.call, call);
    run.counts.started += 1;
    if (event.kind === "sub" && !call.isUnused) addCall(currentWork(node).subCalls, call, event.batch);
    touch(node);
  },
  reply_written: (run, event) => extend(run, event, "written"),
  reasoning_written: (run, event) => extend(run, event, "reasoning"),
  egress(run, event) {
    const { egress } = run;
    egress.calls.push({ ...event, kind: kindOf(run.calls.get(event.call)) });
    egress.left = event.left_chars;
    egress.of = event.context_size;
    if (event.denied !== null) {
      egress.denied += 1;
      const call = run.calls.get(event.call);
      if (call) call.isDenied = true;
      return;
    }
    egress.bytes += event.bytes;
    egress.unused += Number(run.calls.get(event.call)?.isUnused ?? false);
    for (const span of event.spans) {
      const known = egress.spans.get(span.name) ?? [];
      known.push({ ...span, call: event.call });
      egress.spans.set(span.name, known);
    }
  },
  call_finished(run, event) {
    const call = run.calls.get(event.call);
    if (!call) return;
    run.isAway = false;
    finishCall(call, event);
    count(run, call, event);
    const current = run.iterations.at(-1); // calls of child runs are made within it
    if (current) spend(current.cost, event.usage);
    const node = nodeAt(run, event.path);
    const iteration = node.iterations.at(-1);
    if (iteration && call.kind === "root") {
      iteration.reply ??= event.text;
      iteration.reasoning = event.reasoning || iteration.reasoning;
    }
    touch(node);
  },
  block_started(run, event) {
    const node = nodeAt(run, event.path);
    iterationOf(node, event)?.blocks.push({
      ...node.unplaced,
      block: event.block,
      code: event.code,
      printed: new Printed(),
      observation: null,
      isStopped: false,
      startedAt: event.seconds,
    });
    node.unplaced = newWork();
    touch(node, iterationOf(node, event));
  },
  output(run, event) {
    const node = nodeAt(run, event.path);
    blockOf(node, event)?.printed.append(event.text);
    touch(node, iterationOf(node, event));
  },
  block_finished(run, event) {
    const node = nodeAt(run, event.path);
    const block = blockOf(node, event);
    if (block) observe(block, event.observation);
    if (block) block.isStopped = event.lost || event.stopped !== null;
    const iteration = iterationOf(node, event);
    if (iteration && event.observation.error !== null) iteration.failed = true;
    if (event.partial) node.partial = event.partial;
    touch(node, iteration);
  },
  iteration_finished(run, event) {
    const node = nodeAt(run, event.path);
    const iteration = iterationOf(node, event);
    if (!iteration) return;
    iteration.reply = event.reply;
    iteration.seconds = event.seconds - iteration.startedAt;
    touch(node, iteration);
  },
  request_started() {},
  tool_called(run, event) {
    const node = nodeAt(run, event.path);
    addCall(currentWork(node).toolCalls, toolCall(event), 1);
    touch(node);
  },
  notice(run, event) {
    const node = nodeAt(run, event.path);
    node.notices.push({ text: event.text, code: event.code ?? null });
    if (event.code === "unreachable") run.isAway = true;
    if (event.code === "reachable") run.isAway = false;
    touch(node);
  },
  run_finished(run, event) {
    const node = nodeAt(run, event.path);
    node.partial = event.answer || node.partial;
    if (isChild(node)) node.ending = event;
    touch(node);
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
  if (!FOR_WATCHING.includes(event.type)) run.events.push(event);
}

/**
 * A child run was requested: from now on it can be stopped.
 *
 * @param {RunView} run
 * @param {import("./types/run.js").RLMChild} child
 */
export function applyChild(run, { path, question, model, stop }) {
  const node = nodeAt(run, path);
  Object.assign(node, { question, model: model ?? "", stop });
  touch(node);
}

/**
 * The run is over, with a result or with a fault of ours. Unfinished parts are shown as they are.
 *
 * @param {RunView} run
 * @param {{result?: import("./types/run.js").RLMResult, problem: import("./types/run.js").Problem | null}} ending
 */
export function finishRun(run, { result, problem }) {
  run.phase = "finished";
  run.totalSeconds = (performance.now() - run.startedAt) / 1000;
  run.result = result ?? null;
  run.problem = problem;
  for (const node of [run, ...run.children.values()]) node.iterations.forEach(changeIteration);
}

/** @param {string} question @returns {RunNode} */
function newNode(question) {
  return { question, model: "", maxIterations: null, iterations: [], unplaced: newWork(), notices: [], partial: "" };
}

/** The run at `path`, which is a new child of the run above it when it is not known. @param {RunView} run
 * @param {readonly number[]} path @returns {RunNode | ChildView} */
function nodeAt(run, path) {
  if (path.length === 0) return run;
  const key = path.join(".");
  const known = run.children.get(key);
  if (known) return known;
  const parent = nodeAt(run, path.slice(0, -1));
  /** @type {ChildView} */
  const child = {
    ...newNode(""),
    path,
    parent,
    within: parent.iterations.at(-1),
    startedAt: null,
    ending: null,
    stop: null,
    stopping: false,
  };
  currentWork(parent).children.push(child);
  run.children.set(key, child);
  return child;
}

/** @param {RunNode} node @returns {node is ChildView} */
function isChild(node) {
  return "parent" in node;
}

/** @param {RunView} run @param {CallView} call @param {EventOf<"call_finished">} event */
function count({ counts, tokens, cost }, { state }, { usage }) {
  counts.finished += 1;
  counts.failed += state === "failed" ? 1 : 0;
  counts.denied += state === "denied" ? 1 : 0;
  tokens.input += usage.input_tokens;
  tokens.output += usage.output_tokens;
  spend(cost, usage);
}

/** @param {{known: number, unpriced: number}} cost @param {EventOf<"call_finished">["usage"]} usage */
function spend(cost, usage) {
  cost.known += usage.cost ?? 0;
  cost.unpriced += usage.cost === null ? usage.calls : 0;
}

/** @param {CallView | undefined} call @returns {import("./types/run.js").EgressCall["kind"]} */
function kindOf(call) {
  return call === undefined || call.kind === "tool" ? "sub" : call.kind;
}

/** @param {EventOf<"iteration_started">} event @returns {IterationView} */
function newIteration(event) {
  return {
    iteration: event.iteration,
    reply: null,
    written: "",
    reasoning: "",
    blocks: [],
    startedAt: event.seconds,
    seconds: null,
    cost: { known: 0, unpriced: 0 },
    failed: false,
    version: 0,
  };
}

/** Owner of a request: the block that runs, else the next one to be reported. @param {RunNode} node */
function currentWork(node) {
  const block = node.iterations.at(-1)?.blocks.at(-1);
  return block && block.observation === null ? block : node.unplaced;
}

/** @param {BlockView} block @param {import("./types/run.js").Observation} observation */
function observe(block, observation) {
  block.observation = observation;
  if (block.printed.chars === 0) block.printed.append(observation.stdout);
}

/** @param {RunNode} node @param {{iteration: number}} position */
function iterationOf(node, { iteration }) {
  const last = node.iterations.at(-1);
  return last?.iteration === iteration ? last : node.iterations.find((one) => one.iteration === iteration);
}

/** @param {RunNode} node @param {{iteration: number, block: number}} position */
function blockOf(node, position) {
  return iterationOf(node, position)?.blocks.find(({ block }) => block === position.block);
}

/**
 * Text of a reply or of its reasoning, as it comes.
 * @param {RunView} run
 * @param {EventOf<"reply_written"> | EventOf<"reasoning_written">} event
 * @param {"written" | "reasoning"} field
 */
function extend(run, event, field) {
  const node = nodeAt(run, event.path);
  const iteration = node.iterations.at(-1);
  if (!iteration) return;
  iteration[field] = iteration[field].slice(0, event.at) + event.text;
  touch(node, iteration);
}

/** An iteration of `node` changed, and so did those of the runs above that show it.
 * @param {RunNode} node @param {IterationView} [iteration] default: the newest one */
function touch(node, iteration = node.iterations.at(-1)) {
  if (iteration) changeIteration(iteration);
  if (isChild(node)) touch(node.parent, node.within);
}

/** @param {IterationView} iteration */
function changeIteration(iteration) {
  iteration.version += 1;
}
