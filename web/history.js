// @ts-check
/**
 * Earlier runs: those that ended in this browser, searched, opened, compared, renamed, deleted, exported and imported. In:
 * the journal, of which the list needs no log. Out: a panel, and calls of `onOpen` with a log.
 */

import { endedRuns, forget, importRun, readLog, renameRun, settleEnded } from "/rlm/log/journal.js";
import { readTrajectory } from "/rlm/log/trajectory.js";
import { html, useState } from "/vendor/preact.mjs";
import { ENDINGS } from "./activity.js";
import { Comparison } from "./comparison.js";
import { ProblemNotice } from "./errors.js";
import { fieldValue, takeChosen } from "./fields.js";
import { bytes, count, duration, plural } from "./format.js";
import { exportedRuns, importedRuns } from "./history_file.js";
import { save } from "./save.js";
import { conversationOf, isEntry } from "./reopened.js";
import { changeSettings } from "./settings.js";
import { changed, state } from "./state.js";
import { Paged } from "./strip.js";
import { cost } from "./usage.js";

/** @typedef {import("/rlm/log/journal.js").EndedRun} EndedRun */

const WHEN = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const MB = 1e6;

/** List the runs, those included that ended as the browser was closed. */
export async function openHistory() {
  await loadHistory(settleEnded);
}

/** List the runs that are kept; a browser that forbids storage keeps none. */
export async function loadHistory(before = async () => {}) {
  try {
    await before();
    state.history = (await endedRuns()).filter((run) => !isEntry(run));
  } catch (error) {
    console.error(error); // private windows may refuse storage: nothing is kept then
  }
  changed();
}

/** @param {{onOpen: (run: EndedRun, log: string) => void}} props */
export function History({ onOpen }) {
  const [words, search] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [picked, pick] = useState(/** @type {readonly string[]} */ ([]));
  const runs = state.history;
  const shown = runs.filter((run) => holds(run, words));
  const compared = picked.flatMap((name) => runs.find((run) => run.name === name) ?? []);
  const row = (/** @type {EndedRun} */ run) => html`<${Row} key=${run.name} run=${run} onOpen=${onOpen}
    isPicked=${picked.includes(run.name)} onPick=${() => pick(toggled(picked, run.name))} />`;
  const toggle = (/** @type {Event} */ { target }) => setOpen(target instanceof HTMLDetailsElement && target.open);
  return html`<details class="history" id="history" onToggle=${toggle}>
    <summary>Earlier runs <span class="muted">${runs.length === 0 ? "none yet" : `${plural(runs.length, "run")}, ${bytes(sizeOf(runs))}`}</span></summary>
    ${
      isOpen &&
      html`<div class="history-body">
      ${
        runs.length > 0 &&
        html`<label class="history-search">Search <input type="search" id="history-search" value=${words}
        onInput=${(/** @type {Event} */ event) => search(fieldValue(event))} /></label>`
      }
      ${compared.length === 2 && html`<${Comparison} runs=${compared} titleOf=${titleOf} onClose=${() => pick([])} />`}
      ${compared.length === 1 && html`<p class="muted" role="status" id="compare-hint">Choose a second run to compare with “${titleOf(/** @type {EndedRun} */ (compared[0]))}”.</p>`}
      ${shown.length > 0 ? html`<${Paged} items=${shown} row=${row} />` : runs.length > 0 && html`<p class="muted">No run has these words.</p>`}
      <${Actions} runs=${runs} />
    </div>`
    }
  </details>`;
}

/** Asks about the oldest run once all of them are larger than the limit. */
export function HistoryLimit() {
  const runs = state.history;
  const limit = state.settings.historyMegabytes * MB;
  const oldest = runs.at(-1);
  if (!oldest || runs.length < 2 || sizeOf(runs) <= limit) return null;
  return html`<section class="notice" id="history-limit" aria-label="Limit of the earlier runs">
    <p>Earlier runs take ${bytes(sizeOf(runs))}; the limit is ${bytes(limit)}. The oldest is
      <strong>${titleOf(oldest)}</strong> (${WHEN.format(oldest.began)}, ${bytes(sizeOf([oldest]))}).</p>
    <button type="button" onClick=${() => void remove([oldest])}>Delete the oldest</button>
    <button type="button" onClick=${() => changeSettings({ historyMegabytes: state.settings.historyMegabytes * 2 })}>
      Keep it, and allow ${bytes(limit * 2)}</button>
  </section>`;
}

/**
 * The two runs to compare; a third takes the place of the first.
 * @param {readonly string[]} picked
 * @param {string} name
 */
function toggled(picked, name) {
  return picked.includes(name) ? picked.filter((other) => other !== name) : [...picked, name].slice(-2);
}

/** @param {{run: EndedRun, onOpen: (run: EndedRun, log: string) => void, isPicked: boolean, onPick: () => void}} props */
function Row({ run, onOpen, isPicked, onPick }) {
  const [mode, setMode] = useState(/** @type {"shown" | "renaming" | "deleting"} */ ("shown"));
  const title = titleOf(run);
  const open = async () => onOpen(run, await readLog(run.name));
  const done = () => setMode("shown");
  return html`<li class="kept-run">
    <button type="button" class="kept-open" onClick=${open}>
      <span class="kept-title">${title}</span>
      <span class="muted">${facts(run)}</span>
    </button>
    ${mode === "renaming" && html`<${Rename} run=${run} onDone=${done} />`}
    ${mode === "deleting" && html`<${Confirm} text="Delete it for good" onYes=${() => void remove([run])} onNo=${done} />`}
    ${
      mode === "shown" &&
      html`<span class="kept-actions">
      <button type="button" class="quiet small" aria-label="Compare ${title}" aria-pressed=${String(isPicked)} onClick=${onPick}>Compare</button>
      <button type="button" class="quiet small" aria-label="Rename ${title}" onClick=${() => setMode("renaming")}>Rename</button>
      <button type="button" class="quiet small" aria-label="Delete ${title}" onClick=${() => setMode("deleting")}>Delete</button></span>`
    }
  </li>`;
}

/** @param {{run: EndedRun, onDone: () => void}} props */
function Rename({ run, onDone }) {
  const [title, setTitle] = useState(titleOf(run));
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    await renameRun(run.name, title.trim());
    onDone();
    await loadHistory();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) =>
    void (event.key === "Enter" ? save(event) : event.key === "Escape" && onDone());
  return html`<span class="kept-actions">
    <input type="text" aria-label="New name" value=${title} autofocus onKeyDown=${onKeyDown}
      onInput=${(/** @type {Event} */ event) => setTitle(fieldValue(event))} />
    <button type="button" class="small" onClick=${save}>Save</button>
    <button type="button" class="quiet small" onClick=${onDone}>Cancel</button></span>`;
}

/** @param {{text: string, onYes: () => void, onNo: () => void}} props */
function Confirm({ text, onYes, onNo }) {
  return html`<span class="kept-actions">
    <button type="button" class="small stop" aria-disabled="false" onClick=${onYes}>${text}</button>
    <button type="button" class="quiet small" onClick=${onNo}>Cancel</button></span>`;
}

/** @param {{runs: readonly EndedRun[]}} props */
function Actions({ runs }) {
  const [isAsking, setAsking] = useState(false);
  const yes = () => {
    setAsking(false);
    void remove(runs);
  };
  return html`<div class="row history-actions">
    ${runs.length > 0 && html`<button type="button" class="small" id="history-export" onClick=${() => void saveAll(runs)}>Export all</button>`}
    <label class="file-button small">Import
      <input id="history-import" type="file" accept=".jsonl" class="visually-hidden" onChange=${take} /></label>
    ${
      isAsking
        ? html`<${Confirm} text="Delete all ${count(runs.length)} for good" onYes=${yes} onNo=${() => setAsking(false)} />`
        : runs.length > 0 &&
          html`<button type="button" class="quiet small" id="history-clear" onClick=${() => setAsking(true)}>Delete all</button>`
    }
    <span class="muted" role="status" id="history-said">${state.historySaid}</span>
    ${state.problems.history && html`<${ProblemNotice} problem=${state.problems.history} id="history-problem" />`}
  </div>`;
}

/** @param {readonly EndedRun[]} runs */
async function remove(runs) {
  const conversations = new Set(runs.map(conversationOf));
  const entries = (await endedRuns()).filter((run) => isEntry(run) && conversations.has(conversationOf(run)));
  for (const { name } of [...runs, ...entries]) await forget(name);
  await loadHistory();
}

/** @param {readonly EndedRun[]} runs */
async function saveAll(runs) {
  save(await exportedRuns(runs, readLog), `runs-${new Date().toISOString().slice(0, 10)}.jsonl`);
}

/** @param {Event} event */
async function take(event) {
  const [file] = takeChosen(event);
  if (!file) return;
  state.problems.history = null;
  try {
    const known = new Set(state.history.map(({ name }) => name));
    let added = 0;
    let skipped = 0;
    for await (const { run, log } of importedRuns(file)) {
      if (known.has(run.name)) skipped += 1;
      else {
        readTrajectory(log); // a ConfigError names the line that is no event
        await importRun(run, log);
        known.add(run.name);
        added += 1;
      }
    }
    state.historySaid = `${plural(added, "run")} imported${skipped > 0 ? `, ${count(skipped)} were here already` : ""}.`;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const action = "Choose a file that “Export all” wrote.";
    state.problems.history = { title: `“${file.name}” cannot be imported whole.`, cause: error.message, action };
  }
  await loadHistory();
}

/** @param {EndedRun} run @param {string} words */
function holds({ question, title, ended }, words) {
  const text = `${title} ${question} ${ended.model} ${ended.answer}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** @param {EndedRun} run */
export function titleOf({ title, question }) {
  return title || question.slice(0, 200);
}

/** @param {EndedRun} run */
function facts({ began, ended, contexts }) {
  const { words } = ENDINGS[ended.stoppedBy] ?? { words: "Ended" };
  return [
    WHEN.format(began),
    ended.model || "default model",
    ...(state.settings.showsPrices ? [ended.cost === null ? "cost unknown" : cost(ended.cost)] : []),
    duration(ended.seconds),
    words,
    ...(contexts.length > 0 ? [`with its context, ${bytes(contextBytes(contexts))}`] : []),
  ].join(" · ");
}

/** Of their logs and kept contexts. @param {readonly EndedRun[]} runs */
function sizeOf(runs) {
  return runs.reduce((sum, { ended, contexts }) => sum + ended.chars + contextBytes(contexts), 0);
}

/** @param {EndedRun["contexts"]} contexts */
function contextBytes(contexts) {
  return contexts.reduce((sum, { size = 0 }) => sum + size, 0);
}
