// @ts-check
/**
 * Headless: the page's half of runs that a Python program drives (server/rlm_server/headless). In: jobs as JSON text, and a
 * file input that holds the context. Out: outcomes as JSON text; on the way events, and calls of Python's functions. Each
 * run and session has the id that Python gave it. Nothing is shown here.
 */

import { RLM, jsonText, keepableSnapshot, openPool } from "/rlm/rlm.js";
import { FOR_WATCHING } from "/rlm/wire/protocol.js";
import { openOutbox } from "./outbox.js";
import { ASSETS, ENDPOINT } from "./address.js";
import { python } from "./python.js";
import { pythonProvider } from "./python_provider.js";

/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/** @typedef {import("/rlm/rlm.js").RLMSession} RLMSession */
/** @typedef {{files: Iterable<File> | null}} Files a file input, or what stands in its place */
/** @typedef {"none" | "files" | "text" | "json" | "bytes"} Kind how the files are to be read */
/** @typedef {{json: string | null, description: string, function: number | null}} PythonTool value, or number of function */
/** @typedef {Record<string, PythonTool>} PythonTools */
/**
 * Options as JSON: callbacks and tools are named, and stay in Python.
 * @typedef {object} PythonSettings
 * @property {RLMOptions} options
 * @property {PythonTools | null} tools
 * @property {PythonTools | null} subTools
 * @property {import("/rlm/rlm.js").RLMProviderFacts | null} [provider]
 */
/**
 * Callbacks that Python has; `events` also where a reader takes them one by one.
 * @typedef {{events: boolean, iteration: boolean, subLLMCall: boolean, child: boolean, egress: boolean}} Wants
 */
/**
 * @typedef {object} Question
 * @property {string} id
 * @property {string} question
 * @property {Kind} kind
 * @property {string[]} names
 * @property {Wants} wants
 * @property {boolean} isStopped before it began
 * @property {import("/rlm/rlm.js").RLMRunOptions["schema"] | null} schema
 * @property {boolean | null} [direct]
 */
/** @typedef {Question & PythonSettings & {log: import("/rlm/rlm.js").FromLog, key: string | null}} Job */
/**
 * @typedef {{stop: AbortController, children: Map<string, () => void>, outbox: ReturnType<typeof openOutbox>,
 *   wants: Wants}} LiveRun
 */

/** @type {Map<string, LiveRun>} */
const runs = new Map();
/** @type {Map<string, {session: RLMSession, current: string}>} */
const sessions = new Map();

/**
 * Begin with the first worker: its run comes soon. The snapshot is a file that Python keeps from one browser to the next.
 * @param {HTMLInputElement} input holds that file, or none
 * @param {boolean} hasSpares whether a next worker is booted beside each run
 * @param {boolean} [isKept] whether Python keeps the snapshot
 */
export function open(input, hasSpares, isKept = true) {
  const snapshot = isKept ? Promise.resolve(input.files?.[0] ?? null) : null;
  openPool(ASSETS, { snapshot, hasSpares }).catch(() => {}); // the first run says why
}

/** Whether workers start from the snapshot that Python keeps, or could not. */
export async function hasSnapshot() {
  return (await keepableSnapshot(ASSETS)) !== null;
}

/** Hand the snapshot to Python as a download, made now if need be; false: there is none. */
export async function saveSnapshot() {
  const data = await keepableSnapshot(ASSETS);
  if (data === null) return false;
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(data),
    download: "",
  });
  link.click();
  return true;
}

/**
 * The report of a run. Its module is loaded only here: few programs make one.
 * @param {HTMLInputElement} input holds the log
 * @param {import("./report.js").Form} form
 * @returns {Promise<string>} an outcome as JSON text
 */
export async function report(input, form) {
  const address = "./report.js"; // a bundle of its own, that this one does not hold
  const { reportOf } = /** @type {typeof import("./report.js")} */ (await import(address));
  const log = (await input.files?.[0]?.text()) ?? "";
  return outcome(() => reportOf([log], form));
}

/** `run` takes a log as a file: as an argument its time grows with the square of its length. */
export const takesLogFiles = true;

/** Settings may name a provider of the Python process. */
export const takesProvider = true;
export { takePiece } from "./python_provider.js";

/**
 * Answer one question; of several at once each has its own stop, events and tools.
 * @param {Files} input holds the files of the context, of any size
 * @param {string} text a `Job`
 * @param {Files | null} [logInput] holds the text of the job's log
 */
export function run(input, text, logInput) {
  const job = /** @type {Job} */ (JSON.parse(text));
  return ended(input, job, async (options) => {
    const log = await logOf(job.log, [...(logInput?.files ?? [])][0]);
    const rlm = new RLM(optionsOf(job, () => job.id, job.wants.egress));
    return rlm.run(job.question, { ...options, ...log, idempotencyKey: job.key ?? undefined });
  });
}

/**
 * Open a session; `earlier` questions, a log in each file, are rebuilt before its first one.
 * @param {string} text
 * @param {HTMLInputElement} [earlier]
 * @param {HTMLInputElement} [input] holds the files of the context that the first of them had
 */
export function openSession(text, earlier, input) {
  /** @type {PythonSettings & {id: string, kind?: Kind, names?: string[]}} */
  const settings = JSON.parse(text);
  return outcome(async () => {
    const current = () => sessions.get(settings.id)?.current ?? "";
    const { kind = "none", names = [] } = settings;
    const context = await contextOf(kind, [...(input?.files ?? [])].map(renamed(names)));
    const logs = await Promise.all([...(earlier?.files ?? [])].map((file) => file.text()));
    const questions = logs.map((log, at) => (at === 0 && context !== undefined ? { log, context } : { log }));
    const session = new RLM(optionsOf(settings, current, true)).session({ earlier: questions });
    sessions.set(settings.id, { session, current: "" });
  });
}

/**
 * Ask the next question of a session.
 * @param {HTMLInputElement} input
 * @param {string} text a `Question`, and the session's id
 * @param {HTMLInputElement | null} [logInput] holds the log of the question to resume
 */
export function ask(input, text, logInput) {
  const job = /** @type {Question & {session: string}} */ (JSON.parse(text));
  const kept = sessions.get(job.session);
  if (kept === undefined) return outcome(() => Promise.reject(new Error("the session is over: it was closed.")));
  kept.current = job.id;
  return ended(input, job, async (options) => {
    const resume = await logInput?.files?.[0]?.text();
    return kept.session.run(job.question, resume === undefined ? options : { ...options, resume });
  });
}

/** Python that a session runs between two questions. @typedef {{id: string, session: string, code: string | null}} Entry */

/**
 * Run code in the REPL of a session, or list its variables; stopped as a run is.
 * @param {string} text an `Entry`, whose code is null for the variables alone
 */
export async function execute(text) {
  const { id, session: name, code } = /** @type {Entry} */ (JSON.parse(text));
  const kept = sessions.get(name);
  if (kept === undefined) return outcome(() => Promise.reject(new Error("the session is over: it was closed.")));
  const outbox = openOutbox((lines) => python.rlmNotify(id, lines), { isWatched: false });
  const stop = new AbortController();
  runs.set(id, { stop, children: new Map(), outbox, wants: NOTHING });
  try {
    return await outcome(async () => {
      if (code === null) return kept.session.variables();
      kept.current = id;
      const execution = await kept.session.execute(code, { signal: stop.signal });
      return { ...execution, trajectory: execution.trajectory() };
    });
  } finally {
    await outbox.close();
    runs.delete(id);
  }
}

const NOTHING = { events: false, iteration: false, subLLMCall: false, child: false, egress: false };

/** @param {string} id */
export function closeSession(id) {
  sessions.get(id)?.session.close();
  sessions.delete(id);
}

/**
 * Stop a run; one that is over is left alone.
 * @param {string} id
 */
export function stop(id) {
  runs.get(id)?.stop.abort();
}

/**
 * Stop one child run, and those below it.
 * @param {string} id
 * @param {number[]} path
 */
export function stopChild(id, path) {
  runs.get(id)?.children.get(path.join("."))?.();
}

/**
 * From now on Python reads the events of a run one by one.
 * @param {string} id
 */
export function watch(id) {
  runs.get(id)?.outbox.watch();
}

/**
 * The outcome of a run, after Python has taken its last event. Without a reader the last ones come with it as `rest`, for
 * one that came meanwhile: to wait for a message of their own takes as long as a call.
 * @param {Files} input
 * @param {Question} job
 * @param {(options: import("/rlm/rlm.js").RLMRunOptions) => Promise<import("/rlm/rlm.js").RLMResult>} begin
 */
async function ended(input, job, begin) {
  const outbox = openOutbox((lines) => python.rlmNotify(job.id, lines), { isWatched: job.wants.events });
  const live = { stop: new AbortController(), children: new Map(), outbox, wants: job.wants };
  runs.set(job.id, live);
  if (job.isStopped) live.stop.abort();
  const { iteration, subLLMCall, child } = job.wants;
  const rest = () => (outbox.isWatched() || iteration || subLLMCall || child ? undefined : outbox.take());
  try {
    return await outcome(async () => {
      const context = await contextOf(job.kind, [...(input.files ?? [])].map(renamed(job.names)));
      const onChild = job.wants.child ? childListener(job.id, live) : undefined;
      const asked = { schema: job.schema ?? undefined, direct: job.direct ?? undefined };
      const result = await begin({ context, ...asked, signal: live.stop.signal, onChild });
      return { ...result, trajectory: result.trajectory() };
    }, rest);
  } finally {
    await outbox.close();
    runs.delete(job.id);
  }
}

/**
 * The result of `work`, or its error by name, as JSON text.
 * @param {() => Promise<unknown>} work
 * @param {() => string | undefined} [rest] lines beside it
 */
async function outcome(work, rest = () => undefined) {
  try {
    return JSON.stringify({ ok: (await work()) ?? null, rest: rest() });
  } catch (fault) {
    const { name, message } = fault instanceof Error ? fault : { name: "Error", message: String(fault) };
    return JSON.stringify({ error: { name, message }, rest: rest() });
  }
}

/**
 * @param {PythonSettings} settings
 * @param {() => string} id of the run that is under way
 * @param {boolean} weighs whether calls wait until they were weighed and allowed
 * @returns {RLMOptions}
 */
function optionsOf({ options, tools, subTools, provider }, id, weighs) {
  return {
    ...(provider ? { provider: pythonProvider(provider, id) } : { endpoint: ENDPOINT }),
    assets: ASSETS,
    ...options,
    ...(tools && { tools: toolsOf(tools, id) }),
    ...(subTools && { subTools: toolsOf(subTools, id) }),
    ...(weighs && { onEgress: (request) => mayLeave(id(), request) }),
    onIteration: (iteration) => notify(id(), "iteration", iteration),
    onSubLLMCall: (call) => notify(id(), "subLLMCall", call),
    onEvent: (event) => notifyEvent(id(), event),
  };
}

/**
 * @param {string} id
 * @param {import("/rlm/rlm.js").RLMEgressRequest} request
 */
function mayLeave(id, { signal, ...request }) {
  return runs.get(id)?.wants.egress ? python.rlmEgress(id, JSON.stringify(request)) : "allow";
}

/**
 * An event for Python: without a reader only those of the log cross, for the result of a run whose browser is lost.
 * @param {string} id
 * @param {import("/rlm/wire/protocol.js").Event} event
 */
function notifyEvent(id, event) {
  const outbox = runs.get(id)?.outbox;
  const kind = FOR_WATCHING.includes(event.type) ? "passing" : "event";
  if (outbox && (kind === "event" || outbox.isWatched())) outbox.add(`${kind} ${JSON.stringify(event)}`);
}

/**
 * A callback's value for Python; events and values arrive in their order.
 * @param {string} id
 * @param {"iteration" | "subLLMCall" | "child"} kind
 * @param {unknown} value
 */
function notify(id, kind, value) {
  const live = runs.get(id);
  if (live?.wants[kind]) live.outbox.add(`${kind} ${JSON.stringify(value)}`);
}

/**
 * @param {string} id
 * @param {LiveRun} live
 */
function childListener(id, { children }) {
  /** @param {import("/rlm/rlm.js").RLMChild} child */
  return ({ path, question, model, stop: stopThis }) => {
    children.set(path.join("."), stopThis);
    notify(id, "child", { path, question, model });
  };
}

/**
 * @param {PythonTools} tools
 * @param {() => string} id
 */
function toolsOf(tools, id) {
  const entries = Object.entries(tools).map(([name, { json, description, function: number }]) => {
    return [name, { tool: number === null ? jsonText(json ?? "null") : functionOf(number, id), description }];
  });
  return /** @type {import("/rlm/rlm.js").RLMTools} */ (Object.fromEntries(entries));
}

/**
 * @param {number} number
 * @param {() => string} id
 * @returns {import("/rlm/rlm.js").RLMFunction}
 */
function functionOf(number, id) {
  return async function callPython() {
    const { result, error } = await python.rlmTool(id(), number, this.json);
    if (error !== null) throw new Error(error);
    return jsonText(result ?? "null");
  };
}

/**
 * @param {import("/rlm/rlm.js").FromLog} log
 * @param {File} [file] its text, where that is not in `log`
 * @returns {Promise<import("/rlm/rlm.js").FromLog>}
 */
async function logOf(log, file) {
  if (file === undefined) return log;
  const text = await file.text();
  if (log.fork !== undefined) return { fork: { ...log.fork, log: text } };
  return log.replay === undefined ? { resume: text } : { replay: text };
}

/** @param {string[]} names */
function renamed(names) {
  /** @param {File} file @param {number} index */
  return (file, index) =>
    file.name === names[index] ? file : new File([file], names[index], { lastModified: file.lastModified });
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
  return kind === "json" ? jsonText(files[0]) : files[0].text();
}
