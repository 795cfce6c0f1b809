// @ts-check
// Logs of fast-rlm: a line for each step of each agent, which name their run and the run above it.
//
// In: the lines as objects. Out: the root run, and notes on lines that were left out. They hold code and output, and no
// prompt, reply or model. The first step of a run is the program's own.

import { fenced, isObject, milliseconds, newBlock, newIteration, newRun } from "./shown_run.js";
import { stringOf, textOf, unknownTypes, usageOf } from "./shown_run.js";

/**
 * @typedef {import("./shown_run.js").Row} Row
 * @typedef {import("./shown_run.js").ShownRun} ShownRun
 */

/**
 * A run as it is read: children wait for the step that began them, whose line follows theirs.
 * @typedef {{run: ShownRun, waiting: ShownRun[], step: unknown, at: number}} Agent
 */

const TRACEBACK = "Error: Traceback";

/** @param {Row} row whether it is a line of such a log */
export function isFastRlm(row) {
  return typeof row.event_type === "string" && typeof row.run_id === "string";
}

/**
 * @param {Row[]} rows
 * @returns {{run: ShownRun, notes: string[]}}
 */
export function readFastRlm(rows) {
  /** @type {Map<unknown, Agent>} */
  const agents = new Map();
  /** @type {string[]} */
  const unknown = [];
  for (const row of rows) {
    const type = String(row.event_type);
    const agent = isFastRlm(row) ? agentOf(agents, row) : null;
    if (agent === null) unknown.push(type);
    else if (type === "code_generated" || type === "execution_result") takeStep(agent, row);
    else if (type === "final_result") agent.run.answer = textOf(row.result);
    else if (type !== "agent_start" && type !== "agent_end") unknown.push(type);
  }
  const [root] = agents.values();
  return { run: root?.run ?? newRun(), notes: unknownTypes(unknown) };
}

/**
 * @param {Map<unknown, Agent>} agents
 * @param {Row} row
 * @returns {Agent}
 */
function agentOf(agents, row) {
  const known = agents.get(row.run_id);
  if (known) return known;
  const agent = { run: newRun(), waiting: [], step: undefined, at: milliseconds(row.time) };
  agents.get(row.parent_run_id)?.waiting.push(agent.run);
  agents.set(row.run_id, agent); // only now: no run is its own child
  return agent;
}

/**
 * @param {Agent} agent
 * @param {Row} row
 */
function takeStep(agent, row) {
  const { iterations } = agent.run;
  const [code, output, at] = [stringOf(row.code), stringOf(row.output), milliseconds(row.time)];
  if (agent.step !== row.step || iterations.length === 0) {
    const isCalled = isObject(row.timestamps) && "llm_call_start" in row.timestamps;
    const used = isCalled ? usageOf(row.usage, { input: "prompt_tokens", output: "completion_tokens" }) : null;
    const reply = fenced(code, stringOf(row.reasoning));
    iterations.push(newIteration(reply, { blocks: [newBlock(code)], usage: used }));
  }
  const iteration = iterations[iterations.length - 1];
  const [block] = iteration.blocks;
  Object.assign(block, row.hasError ? failedParts(output) : { stdout: output, error: null });
  block.children.push(...agent.waiting);
  iteration.seconds += Math.max(0, at - agent.at) / 1_000;
  Object.assign(agent, { step: row.step, at, waiting: [] });
}

/**
 * Printed text and traceback of a failed block.
 * @param {string} output
 */
function failedParts(output) {
  const at = output.indexOf(TRACEBACK);
  return at === -1 ? { stdout: "", error: output } : { stdout: output.slice(0, at), error: output.slice(at).trim() };
}
