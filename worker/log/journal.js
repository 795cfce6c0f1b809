// @ts-check
// Journal: the log of a run, kept in this browser as it grows, so that a reloaded tab can resume the run.
//
// In: the lines of a trajectory. Out: a promise that all of them are on disk; later, the runs that did not end. Strict
// transactions, each with the lines that came during the one before (line_writer.js): nothing that a call or a
// function depends on is lost when the browser is killed, but for sub-calls whose replies the server keeps. A context is
// kept only when the caller asks for it (kept_contexts.js). A name is that of a journal: one run at a time is kept in it.

import { configError } from "../wire/errors.js";
import { described, dropContext, keepContext, restoredContext } from "./kept_contexts.js";
import { linesIn, putLines } from "./line_records.js";
import { openLineWriter } from "./line_writer.js";
import { LOCK, holdRun, open, read, stored } from "./run_store.js";

/**
 * @typedef {object} Journal
 * @property {string} name
 * @property {(line: string, type: string, isRepeatable?: boolean) => void} append `type` is that of its event; a repeatable
 *   call is answered from the server's store when its line was lost
 * @property {(contexts: JobContext[]) => Promise<void>} keep also the context; a notice says when it cannot be kept
 * @property {() => Promise<void>} written resolves when every line so far is kept; while the store is full it waits
 * @property {() => Promise<void> | null} abreast what a repeatable call waits for: all lines but those of such calls are kept,
 *   and these in time
 * @property {() => Promise<void>} close the run has its end: its log is dropped
 * @property {() => Promise<void>} leave the run was not resumed: its log stays
 */

/**
 * A run that was begun; `contexts` are kept with it, `given` are those that it began with (earlier versions did not say).
 * @typedef {{name: string, question: string, began: number, options: Record<string, unknown>, contexts: KeptContext[],
 *   given?: KeptContext[]}} KeptRun
 * @typedef {import("../wire/protocol.js").JobContext} JobContext
 * @typedef {import("./kept_contexts.js").KeptContext} KeptContext
 */

/**
 * Facts of a run that ended: cost in US dollars (null: unknown), size of its log in characters, texts cut at 300.
 * @typedef {{stoppedBy: import("../wire/protocol.js").RunResult["stopped_by"], detail: string, answer: string, seconds: number, iterations: number,
 *   model: string, cost: number | null, chars: number}} EndedFacts
 * @typedef {KeptRun & {title: string, ended: EndedFacts}} EndedRun `title` is the person's own name for it, or ""
 */

const SHOWN_CHARS = 300;
const FULL_RETRY_MS = 1_000;

/**
 * @param {KeptRun} run
 * @param {object} options
 * @param {string[]} [options.lines] of a resumed run: the journal is whole by itself
 * @param {(text: string) => void} options.onNotice
 * @param {AbortSignal} [options.signal] the run is stopped: no more waiting for room
 * @param {boolean} [options.keepsLog] the log, and a context that is kept, stay after the run's end
 * @returns {Promise<Journal>}
 */
export async function openJournal(run, options) {
  const release = await holdRun(run.name);
  try {
    return await openHeld(run, options, release);
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * @param {KeptRun} run
 * @param {Parameters<typeof openJournal>[1]} options
 * @param {() => void} release
 * @returns {Promise<Journal>}
 */
async function openHeld(run, { lines = [], onNotice, signal, keepsLog = false }, release) {
  const database = await open();
  await stored(database, ["runs", "lines"], (runs, kept) => {
    kept.delete(linesOf(run.name));
    putLines(kept, run.name, lines);
    runs.put(run);
  });
  const bounds = openBounds();
  lines.forEach(bounds.add);
  let record = run;
  /** Of a log that is to stay, once its last line is there. @type {EndedFacts | null} */
  let ending = null;
  let isKeeping = false;
  let isMarked = false;

  /**
   * @param {string[]} added
   * @param {number} first
   */
  const put = async (added, first) => {
    for (let isNoticed = false; ; isNoticed = true) {
      try {
        // the end of a log and its mark are one change, unless the record is to change once more
        const isEnd = ending !== null && !isKeeping && added.at(-1) === bounds.bounds().last;
        await stored(database, isEnd ? ["lines", "runs"] : ["lines"], (kept, runs) => {
          runs?.put({ ...record, ended: ending });
          putLines(kept, run.name, added, first);
        });
        isMarked = isEnd;
        return;
      } catch (error) {
        if (!isFull(error) || signal?.aborted) throw error;
        if (!isNoticed) onNotice(FULL);
        await pause(FULL_RETRY_MS);
      }
    }
  };
  const { append, written, hurry, abreast } = openLineWriter(put, lines.length);
  globalThis.addEventListener("pagehide", hurry); // a tab that is closed or reloaded loses no line that waits for another
  const ended = new AbortController();
  let keeping = Promise.resolve();
  /** @param {JobContext[]} contexts */
  const keep = async (contexts) => {
    isKeeping = true;
    try {
      await keepContext(run.name, contexts, ended.signal);
      const kept = { ...record, contexts: contexts.map(described) };
      await stored(database, ["runs"], (runs) => runs.put(kept));
      record = kept;
    } catch (error) {
      if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
      if (!ended.signal.aborted) onNotice(`${NOT_KEPT} (${error.message || error.name})`);
    }
    isKeeping = false;
  };
  const leave = async () => {
    ended.abort();
    await keeping;
    await written().catch(() => {}); // a run that was stopped while the store was full
    globalThis.removeEventListener("pagehide", hurry);
    database.close();
    release();
  };
  return {
    name: run.name,
    append(line, type, isRepeatable) {
      bounds.add(line);
      if (keepsLog && type === "run_finished") ending = endingOf(bounds.bounds());
      append(line, type, isRepeatable);
    },
    written,
    abreast,
    keep: (contexts) => (keeping = keep(contexts)),
    leave,
    async close() {
      try {
        if (!keepsLog) ended.abort();
        await keeping;
        const isWhole = await written().then(
          () => true,
          () => false, // it has rejected where it was awaited: such a run stays unfinished
        );
        if (!keepsLog) await drop(run.name);
        else if (isWhole && ending !== null && !isMarked)
          await stored(database, ["runs"], (runs) => runs.put({ ...record, ended: ending }));
      } finally {
        await leave();
      }
    },
  };
}

/**
 * As much of a log as tells how its run ended; `chars` are those of all its lines.
 * @typedef {{first: string | undefined, last: string | undefined, chars: number}} Bounds
 */

/** Takes the lines of a log one by one, and keeps none between the first and the last. */
function openBounds() {
  /** @type {Bounds} */
  const bounds = { first: undefined, last: undefined, chars: 0 };
  return {
    /** @param {string} line */
    add(line) {
      bounds.first ??= line;
      bounds.last = line;
      bounds.chars += line.length + 1;
    },
    bounds: () => bounds,
  };
}

/** @param {string[]} lines */
function boundsOf(lines) {
  const bounds = openBounds();
  lines.forEach(bounds.add);
  return bounds.bounds();
}

/**
 * Mark a run as ended, with the facts of its log that a list of runs needs.
 * @param {IDBDatabase} database
 * @param {string} name
 * @param {Bounds} bounds of its log
 */
async function keepEnded(database, name, bounds) {
  const [run] = await read(database, "runs", (kept) => kept.getAll(name));
  const ended = endingOf(bounds);
  if (ended !== null) await stored(database, ["runs"], (runs) => runs.put({ .../** @type {KeptRun} */ (run), ended }));
}

/**
 * @param {Bounds} bounds
 * @returns {EndedFacts | null} null for a log without an end
 */
function endingOf({ first, last, chars }) {
  const started = parsed(first);
  const finished = parsed(last);
  if (started?.type !== "run_started" || finished?.type !== "run_finished") return null;
  if (finished.path.length > 0) return null; // the end of a child run: its tree was cut off
  const { stopped_by: stoppedBy, detail, seconds, iterations, answer, usage } = finished;
  const costs = Object.values(usage).map(({ cost }) => cost);
  const cost = costs.includes(null) ? null : costs.reduce((sum, one) => Number(sum) + Number(one), 0);
  const texts = { detail: detail.slice(0, SHOWN_CHARS), answer: answer.slice(0, SHOWN_CHARS) };
  return { stoppedBy, seconds, iterations, model: started.model ?? "", cost, chars, ...texts };
}

/**
 * @param {string | undefined} line
 * @returns {import("../wire/protocol.js").Event | null}
 */
function parsed(line) {
  return line === undefined ? null : JSON.parse(line);
}

const FULL = "the browser's storage is full: the run waits before it asks a model again. Free some space, or stop it.";

const NOT_KEPT = "the context is not kept in this browser: a run that is cut off will ask for it again";

/** @param {unknown} error */
function isFull(error) {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

// ------------------------------------------------------------------------------------------------------ the kept runs

/** The runs that were begun and did not end, the newest first, without those that another tab drives. */
export async function unfinished() {
  const [runs, driven] = await Promise.all([keptRuns(), drivenNames()]);
  return runs.filter((run) => !isEnded(run) && !driven.has(run.name));
}

/** Mark the runs whose log has its end although the browser was closed before they were marked. */
export async function settleEnded() {
  const database = await open();
  for (const { name } of await unfinished()) {
    const records = await read(database, "lines", (kept) => kept.getAll(linesOf(name)));
    await keepEnded(database, name, boundsOf(linesIn(records)));
  }
  database.close();
}

/** The runs that ended and whose log was to stay, the newest first; no log is read. */
export async function endedRuns() {
  return (await keptRuns()).filter(isEnded).map((run) => ({ ...run, title: run.title ?? "" }));
}

/**
 * Give a run that ended a title; "" takes it away.
 * @param {string} name
 * @param {string} title
 */
export async function renameRun(name, title) {
  const database = await open();
  const [run] = /** @type {KeptRun[]} */ (await read(database, "runs", (kept) => kept.getAll(name)));
  if (run) await stored(database, ["runs"], (runs) => runs.put({ ...run, title }));
  database.close();
}

/**
 * Keep a run that ended elsewhere.
 * @param {KeptRun} run whose facts are read from its log anew
 * @param {string} log
 */
export async function importRun(run, log) {
  const lines = log.split("\n").filter((line) => line !== "");
  const ended = endingOf(boundsOf(lines));
  if (ended === null) throw configError(`the log of the run "${run.name}" has no end.`);
  const database = await open();
  await stored(database, ["lines", "runs"], (kept, runs) => {
    putLines(kept, run.name, lines);
    runs.put({ ...run, ended, contexts: [] });
  });
  database.close();
}

/**
 * @param {KeptRun & {ended?: EndedFacts}} run
 * @returns {run is EndedRun}
 */
function isEnded(run) {
  return run.ended !== undefined && run.ended !== null;
}

/**
 * The runs whose log is kept, the newest first.
 * @returns {Promise<import("../wire/types.d.ts").RLMKeptRun[]>}
 */
export async function listRuns() {
  const [runs, driven] = await Promise.all([keptRuns(), drivenNames()]);
  return runs.map((run) => ({
    name: run.name,
    question: run.question,
    began: new Date(run.began),
    hasContext: run.contexts.length > 0,
    isRunning: driven.has(run.name),
    hasEnded: isEnded(run),
  }));
}

/**
 * The log of a kept run so far; a ConfigError where none has the name.
 * @param {string} name
 */
export async function readRun(name) {
  await checkKept(name);
  return readLog(name);
}

/**
 * Drop the log of a kept run, and its context; a ConfigError where none has the name, and where it is under way.
 * @param {string} name
 */
export async function deleteRun(name) {
  await checkKept(name);
  await forget(name);
}

/**
 * The log in the journal of that name; empty where there is none.
 * @param {string} name
 */
export async function readLog(name) {
  const database = await open();
  const records = await read(database, "lines", (kept) => kept.getAll(linesOf(name)));
  database.close();
  return records.map((record) => `${record}\n`).join("");
}

/**
 * Drop a run that no tab drives.
 * @param {string} name
 */
export async function forget(name) {
  const release = await holdRun(name);
  await drop(name).finally(release);
}

/** @param {string} name */
async function drop(name) {
  const database = await open();
  await stored(database, ["runs", "lines"], (runs, lines) => {
    runs.delete(name);
    lines.delete(linesOf(name));
  });
  database.close();
  await dropContext(name);
}

/** @returns {Promise<KeptRun[]>} the newest first */
async function keptRuns() {
  const database = await open();
  const runs = /** @type {KeptRun[]} */ (await read(database, "runs", (kept) => kept.getAll()));
  database.close();
  return runs.sort((one, other) => other.began - one.began);
}

/** Names of the runs that some tab drives. */
async function drivenNames() {
  const { held = [] } = await navigator.locks.query();
  const locks = held.map(({ name = "" }) => name).filter((name) => name.startsWith(LOCK));
  return new Set(locks.map((name) => name.slice(LOCK.length)));
}

/** @param {unknown} name */
async function checkKept(name) {
  const runs = await keptRuns();
  if (runs.some((run) => run.name === name)) return;
  const names = runs.map((run) => `"${run.name}"`).join(", ") || "none";
  throw configError(`no run is kept under the name ${JSON.stringify(name)}. Kept are: ${names}.`);
}

/** @param {string} name */
function linesOf(name) {
  return IDBKeyRange.bound([name, 0], [name, Infinity]);
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((/** @type {(_: void) => void} */ done) => {
    setTimeout(done, milliseconds);
  });
}

/**
 * @param {boolean | string | null} name
 * @returns {Promise<JobContext[]>} the context kept with the run of that name; none when it was not kept
 */
export async function keptContext(name) {
  if (typeof name !== "string") return [];
  const database = await open();
  const [run] = /** @type {KeptRun[]} */ (await read(database, "runs", (kept) => kept.getAll(name)));
  database.close();
  return restoredContext(name, run?.contexts ?? []);
}
