// @ts-check
/**
 * Headless: the page's half of a run that a Python program drives (server/rlm_server/headless). In: a file input that
 * holds the context, and a job. Out: the run's result, or the name and message of its error. Nothing is shown here.
 */

import { ask as askPage } from "./app.js";

/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/** @typedef {"none" | "files" | "text" | "json" | "bytes"} Kind how the files are to be read */
/** @typedef {{tool: import("/rlm/wire/protocol.js").Json, description: string, function: boolean}} PythonTool */
/**
 * @typedef {Omit<RLMOptions, "tools" | "subTools" | "onEgress"> & {tools?: Record<string, PythonTool>,
 *   subTools?: Record<string, PythonTool>, onEgress?: boolean}} PythonOptions options as JSON: functions are flags
 */
/** @typedef {{kind: Kind, names: string[], question: string, options: PythonOptions}} PythonJob */
/**
 * Functions of the Python process, bound by Playwright.
 * @typedef {object} Bindings
 * @property {(event: import("/rlm/wire/protocol.js").Event) => void} rlmEvent
 * @property {(name: string, args: unknown[], kwargs: Record<string, unknown>) =>
 *   Promise<{result: unknown, error: string | null}>} rlmTool
 * @property {(request: object) => Promise<import("/rlm/rlm.js").RLMEgressAnswer>} rlmEgress
 */

const python = /** @type {Bindings} */ (/** @type {unknown} */ (globalThis));
let stopping = new AbortController();

/**
 * @param {HTMLInputElement} input holds the files of the context, of any size
 * @param {PythonJob} job
 */
export async function ask(input, { kind, names, question, options }) {
  stopping = new AbortController();
  const { tools, subTools, onEgress, ...rest } = options;
  const called = {
    ...(tools && { tools: toolsOf(tools) }),
    ...(subTools && { subTools: toolsOf(subTools) }),
    ...(onEgress && { onEgress: mayLeave }),
  };
  const chosen = { ...rest, ...called, signal: stopping.signal, onEvent: python.rlmEvent };
  try {
    const context = await contextOf(kind, [...(input.files ?? [])].map(renamed(names)));
    const result = await askPage({ question, context, options: chosen });
    return { ok: { ...result, trajectory: result.trajectory() } };
  } catch (fault) {
    const { name, message } = fault instanceof Error ? fault : { name: "Error", message: String(fault) };
    return { error: { name, message } };
  }
}

/** Stop the run that is under way. */
export function stop() {
  stopping.abort();
}

/** @param {string[]} names */
function renamed(names) {
  /** @param {File} file @param {number} index */
  return (file, index) => (file.name === names[index] ? file : new File([file], names[index]));
}

/**
 * @param {Kind} kind
 * @param {File[]} files
 * @returns {Promise<import("/rlm/rlm.js").RLMRunOptions["context"]>}
 */
async function contextOf(kind, files) {
  if (kind === "none") return undefined;
  if (kind === "files") return files;
  if (kind === "bytes") return files[0].arrayBuffer();
  const text = await files[0].text();
  return kind === "json" ? JSON.parse(text) : text;
}

/** @param {Record<string, PythonTool>} tools */
function toolsOf(tools) {
  const entries = Object.entries(tools).map(([name, { tool, description, function: isFunction }]) => {
    return [name, { tool: isFunction ? functionOf(name) : tool, description }];
  });
  return /** @type {import("/rlm/rlm.js").RLMTools} */ (Object.fromEntries(entries));
}

/**
 * @param {string} name
 * @returns {import("/rlm/rlm.js").RLMFunction}
 */
function functionOf(name) {
  return async function callPython() {
    const { result, error } = await python.rlmTool(name, this.args, this.kwargs);
    if (error !== null) throw new Error(error);
    return result;
  };
}

/** @param {import("/rlm/rlm.js").RLMEgressRequest} request */
function mayLeave({ signal, ...request }) {
  return python.rlmEgress(request);
}
