// @ts-check
/**
 * Runs that were cut off, by a reload or a crash of the tab, and the way to continue them.
 *
 * In: the browser's journal. Out: one notice for each such run, with two buttons. Where the context was not
 * to be kept, the person chooses the same one again before going on.
 */

import { forget, readLog, unfinished } from "/rlm/log/journal.js";
import { html } from "/vendor/preact.mjs";
import { conversationOf, isEntry } from "./reopened.js";
import { changed, state } from "./state.js";

/** @typedef {import("/rlm/log/journal.js").KeptRun} KeptRun */

/** Look for runs that did not end; a browser that keeps nothing has none. */
export async function loadUnfinished() {
  try {
    const runs = await unfinished();
    state.unfinished = runs.filter((run) => !isEntry(run));
    for (const { name } of runs.filter(isEntry)) await forget(name); // a console entry that a reload cut off is not run again
  } catch (error) {
    console.error(error); // private windows may refuse storage: there is no run to continue then
  }
  changed();
}

/** @param {{onContinue: (run: KeptRun, log: string) => void, onShow: (run: KeptRun, log: string) => void, onDiscarded: (run: KeptRun) => void}} props */
export function Unfinished({ onContinue, onShow, onDiscarded }) {
  return state.unfinished.map(
    (run) => html`<section class="notice" aria-label="Unfinished run" key=${run.name}>
      <p>A run was cut off: <strong>${run.question.slice(0, 200)}</strong> (${new Date(run.began).toLocaleString()}).
        What was paid for is kept. ${adviceFor(run)}</p>
      ${
        isFollowUp(run) && conversationOf(run) === null
          ? html`<button type="button" onClick=${() => void show(run, onShow)}>Show it</button>`
          : html`<button type="button" onClick=${() => void goOn(run, onContinue)}>Continue</button>`
      }
      <button type="button" onClick=${() => void drop(run, onDiscarded)}>Discard</button>
    </section>`,
  );
}

/** @param {KeptRun} run */
function adviceFor(run) {
  if (isFollowUp(run) && conversationOf(run) === null)
    return "It was a later question of a conversation, whose variables went with the tab.";
  if (isFollowUp(run)) return "It was a later question of a conversation, which is continued with it.";
  return isKept(run) ? "So is its context." : "Choose the same context as before, then continue.";
}

/** Whether it was a later question of a conversation: it needs the variables of those before. @param {KeptRun} run */
export function isFollowUp({ options }) {
  return typeof options.session === "number" && options.session > 0;
}

/** @param {KeptRun} run @param {(run: KeptRun, log: string) => void} onShow */
async function show(run, onShow) {
  onShow(run, await readLog(run.name));
}

/** Whether the run has its context with it. @param {KeptRun} run */
export function isKept({ contexts }) {
  return contexts.length > 0;
}

/** @param {KeptRun} run @param {(run: KeptRun, log: string) => void} onContinue */
async function goOn(run, onContinue) {
  const log = await readLog(run.name);
  remove(run);
  onContinue(run, log);
}

/** @param {KeptRun} run @param {(run: KeptRun) => void} onDiscarded */
async function drop(run, onDiscarded) {
  try {
    await forget(run.name);
  } catch (error) {
    if (!(error instanceof Error && error.name === "ConfigError")) throw error;
    return loadUnfinished(); // another tab continues it now
  }
  onDiscarded(run);
  remove(run);
}

/** @param {KeptRun} run */
function remove(run) {
  state.unfinished = state.unfinished.filter(({ name }) => name !== run.name);
  changed();
}
