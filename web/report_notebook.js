// @ts-check
/**
 * A report as a notebook (nbformat 4.5) that runs in Jupyter. In: runs that ended, the prelude's text, and the context that
 * was typed on the page. Out: JSON text: the run's code in cells with its recorded output, after a prelude that answers model
 * calls from the record. Prompts are in it as hashes; replies, and a typed context, as they are.
 */

import { displayedItems } from "/rlm/wire/displayed_items.js";
import { checkLines, factsOf, inert, noAnswer } from "./report_facts.js";
import { escaped, tableOf } from "./report_html.js";
import { evidenceLines } from "/rlm/log/evidence_lines.js";

/** @typedef {import("./report_facts.js").EndedRun} EndedRun */
/** @typedef {import("./types/run.js").RunEvent} RunEvent */
/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./types/run.js").Observation} Observation */
/** @typedef {{cell_type: "markdown" | "code" | "raw", source: string, metadata: {tags?: string[]}, outputs?: object[], execution_count?: number | null}} Cell */
/** @typedef {{text: string, error: string | null, cut: boolean, key: string, heads: string[], many: number, block: string}} RecordedReply */

const MOST_OUTPUT_CHARS = 50_000;
const MOST_HEADS = 8;
const HASH_CHARS = 16;
const FENCE = /^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|$(?![\s\S]))/gm;
/** What a sub-call's prompt ends with beside its own text: rlm_core/prompts.py. */
const SCHEMA_PART = /\n\n(?:Your last reply was:\n|Reply with JSON alone, without any other words)[\s\S]*$/;
const GROUP_PART = /\n\nAnswer for each of the (\d+) items below on its own: "values" is the list/;

/**
 * @param {readonly EndedRun[]} runs
 * @param {{prelude: string, typed: string | null}} parts
 */
export async function notebookOf(runs, { prelude, typed }) {
  const cells = [introduction(runs, typed), code(prelude)];
  for (const [at, run] of runs.entries()) {
    const record = await recordOf(run, at === 0 ? typed : null);
    cells.push(...cellsOf(run, record, at === 0));
  }
  const numbered = cells.map((cell, at) => ({ id: `cell-${at + 1}`, ...cell }));
  const kernel = { display_name: "Python 3", language: "python", name: "python3" };
  const metadata = { kernelspec: kernel, language_info: { name: "python" } };
  return `${JSON.stringify({ cells: numbered, metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}

/** @param {readonly EndedRun[]} runs @param {string | null} typed @returns {Cell} */
function introduction(runs, typed) {
  const names = runs[0] ? filesOf(runs[0]) : [];
  const held = typed === null ? "" : " The text that was typed as its context is in this notebook.";
  const files =
    names.length === 0 ? "" : ` Put beside this notebook: ${names.map((name) => `\`${name}\``).join(", ")}.`;
  const needs = `It needs no package, no key and no network: model calls are answered from the record.${files}${held}`;
  return markdown(`# Recorded run\n\nMade by pyodide-rlm. ${needs}\n\nThe next cell defines what the run's code uses.`);
}

/** @param {EndedRun} run */
function filesOf(run) {
  return contextsOf(run)
    .map(({ name }) => String(name))
    .filter((name) => name !== "context");
}

/** @param {EndedRun} run */
function contextsOf({ recorded }) {
  const [started] = recorded.events;
  return started?.type === "run_started" ? started.contexts : [];
}

/** @param {EndedRun} run @param {object} record @param {boolean} isFirst its context is bound @returns {Cell[]} */
function cellsOf(run, record, isFirst) {
  const { result, iterations } = run;
  const facts = factsOf(run).map(([name, text]) => `- ${name}: ${inert(text)}`);
  const text = JSON.stringify(JSON.stringify(record)); // a string of JSON is one of Python as well
  const open = isFirst ? "context = open_run(RECORD)" : "open_run({**RECORD, 'contexts': []})";
  const ended = result.stoppedBy === "final_answer" ? "" : `${inert(noAnswer(result))}\n\n`;
  const lines = [...evidenceLines(result.evidence), ...checkLines(result)].map((line) => `- ${inert(line)}`);
  const answer = `## Answer\n\n${ended}${inert(result.answer) || "(no answer)"}\n\n${lines.join("\n")}`;
  return [
    markdown(`# ${inert(run.question)}\n\n${facts.join("\n")}`),
    code(`RECORD = json.loads(${text})\n${open}`),
    ...iterations.flatMap(({ iteration, reply, blocks }) => [
      markdown(`## Iteration ${iteration}\n\n${inert(proseOf(reply ?? ""))}`.trim()),
      ...blocks.map((block) => blockCell(block)),
    ]),
    markdown(answer),
  ];
}

/** A reply without its fences. @param {string} reply */
function proseOf(reply) {
  return reply.replace(FENCE, "").replace(/\n{3,}/g, "\n\n").trim(); // biome-ignore format: one line
}

/**
 * A block as a cell. One that was stopped, or that ended its interpreter, would do the same to the kernel: it is shown and
 * not run.
 * @param {BlockView} block
 * @returns {Cell}
 */
function blockCell({ code: source, observation, isStopped }) {
  const error = observation?.error ?? null;
  if (observation === null || isStopped)
    return { cell_type: "raw", source: `This block was stopped in the run.\n\n${source}`, metadata: {} };
  const ends = /\b(?:FINAL|FINAL_VAR)\s*\(/.test(source);
  const cell = code(source, outputsOf(observation));
  return error !== null || ends ? { ...cell, metadata: { tags: ["raises-exception"] } } : cell;
}

/** @param {Observation} observation */
function outputsOf({ stdout, value, error, shown }) {
  const outputs = [];
  if (stdout) outputs.push({ output_type: "stream", name: "stdout", text: cut(stdout) });
  for (const item of shown ? displayedItems(shown).items : [])
    outputs.push({ output_type: "display_data", data: dataOf(item), metadata: {} });
  if (value)
    outputs.push({
      output_type: "execute_result",
      execution_count: null,
      data: { "text/plain": cut(value) },
      metadata: {},
    });
  if (error) {
    const last = error.trimEnd().split("\n").at(-1) ?? "";
    const [name, ...rest] = last.split(": ");
    const traceback = cut(error).split("\n");
    outputs.push({ output_type: "error", ename: name || "Error", evalue: rest.join(": "), traceback });
  }
  return outputs;
}

/** A displayed value as a notebook keeps it. @param {import("/rlm/wire/displayed_items.js").DisplayedItem} item */
function dataOf(item) {
  const { title } = item;
  if (item.kind === "table")
    return { "text/plain": title || "table", "text/html": `${escaped(title)}${tableOf(item)}` };
  if (item.kind !== "image") return { "text/plain": cut(item.text) };
  if (item.type !== "image/svg+xml") return { "text/plain": title || "picture", [item.type]: item.data };
  const label = (title || "chart").replace(/[[\]\\]/g, "");
  return { "text/plain": label, "text/markdown": `![${label}](data:${item.type};base64,${item.data})` };
}

/** @param {string} text */
function cut(text) {
  return text.length <= MOST_OUTPUT_CHARS ? text : `${text.slice(0, MOST_OUTPUT_CHARS)}\n… cut; the log has all of it`;
}

/** @param {string} source @returns {Cell} */
function markdown(source) {
  return { cell_type: "markdown", source, metadata: {} };
}

/** @param {string} source @param {object[]} [outputs] @returns {Cell} */
function code(source, outputs = []) {
  return { cell_type: "code", source, metadata: {}, outputs, execution_count: null };
}

// --- The record -------------------------------------------------------------------------------------------------------

/** Outcomes of the run's requests, by keys of what was asked. @param {EndedRun} run @param {string | null} typed */
async function recordOf(run, typed) {
  const { events } = run.recorded;
  return {
    contexts: contextsOf(run),
    typed,
    calls: await repliesOf(events),
    children: await childrenOf(events),
    tools: events.flatMap((event) => (event.type === "tool_called" && event.path.length === 0 ? [toolOf(event)] : [])),
  };
}

/** The root run's sub-calls. @param {readonly RunEvent[]} events */
async function repliesOf(events) {
  /** @type {Map<number, {prompt: string, block: string}>} */
  const asked = new Map();
  /** @type {RecordedReply[]} */
  const replies = [];
  let block = "";
  for (const event of events) {
    if (event.path.length > 0) continue;
    if (event.type === "block_started") block = `${event.iteration}.${event.block}`;
    if (event.type === "call_started" && event.kind === "sub")
      asked.set(event.call, { prompt: event.messages.at(-1)?.content ?? "", block });
    if (event.type !== "call_finished") continue;
    const call = asked.get(event.call);
    if (call === undefined || event.stopped !== null) continue;
    const prompt = call.prompt.replace(SCHEMA_PART, "");
    const many = Number(GROUP_PART.exec(prompt)?.[1] ?? 0);
    const heads = await Promise.all(headsOf(prompt).map(keyOf));
    const { text, error } = event;
    const cut = event.finish_reason === "length";
    replies.push({ key: await keyOf(prompt), heads, many, block: call.block, text: text ?? "", error, cut });
  }
  return replies;
}

/** The beginnings of a prompt that may be its question. @param {string} prompt */
function headsOf(prompt) {
  const heads = [];
  for (let at = prompt.indexOf("\n\n"); at !== -1 && heads.length < MOST_HEADS; at = prompt.indexOf("\n\n", at + 1))
    heads.push(prompt.slice(0, at));
  return heads;
}

/** The child runs of the root run. @param {readonly RunEvent[]} events */
async function childrenOf(events) {
  /** @type {Map<number, string>} */
  const questions = new Map();
  const children = [];
  for (const event of events) {
    const [number] = event.path;
    if (event.path.length !== 1 || number === undefined) continue;
    if (event.type === "run_started") questions.set(number, event.question);
    if (event.type !== "run_finished") continue;
    const { answer, stopped_by: by, detail } = event;
    const error = by === "final_answer" ? null : `the child run ended without an answer: ${detail || by}`;
    children.push({ key: await keyOf(questions.get(number) ?? ""), answer, error });
  }
  return children;
}

/** @param {import("./types/run.js").EventOf<"tool_called">} event */
function toolOf({ name, args, kwargs, arguments_json: given, result, result_json: gave, error }) {
  return { name, arguments: given ?? JSON.stringify({ args, kwargs }), result: gave ?? JSON.stringify(result), error };
}

/** @param {string} text */
async function keyOf(text) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, HASH_CHARS); // biome-ignore format: one line
}
