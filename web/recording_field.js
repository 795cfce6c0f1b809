// @ts-check
/**
 * Recorded runs: choosing one, and the banner above it while it is shown. In: a trajectory as a file, or at an address of
 * this site (`?recording=demo.jsonl`). Out: its run on the page, or its fault, with the line.
 */

import { html } from "/vendor/preact.mjs";
import { ProblemNotice } from "./errors.js";
import { takeChosen } from "./fields.js";
import { isOver, pause, play, playRecording, playToEnd, step } from "./recorded.js";
import { changed, isRunning, state } from "./state.js";

/** @typedef {import("./types/run.js").Recorded} Recorded */

const DAY = new Intl.DateTimeFormat("en", { dateStyle: "long" });

/** The field where a trajectory is chosen, or dropped. */
export function RecordingField() {
  const problem = state.problems.recording;
  return html`<section class="recording-field" aria-label="Recorded runs">
    <label class="file-button small">Play a recorded run
      <input id="recording-file" type="file" accept=".jsonl,.ndjson,.json,.txt" class="visually-hidden" onChange=${choose} /></label>
    <span class="muted">Choose a trajectory (.jsonl), or a log of dspy.RLM, fast-rlm or droste, or drop it here. Nothing is run, and nothing is sent.</span>
    ${problem && html`<${ProblemNotice} problem=${problem} id="recording-problem" />`}
  </section>`;
}

/** Says that a run is a recorded one, and plays it. @param {{recorded: Recorded, onReopen: (conversation: string) => void}} props */
export function RecordingBanner({ recorded, onReopen }) {
  const { name, isPlaying, at, events, isKept, before, conversation } = recorded;
  const toggle = () => (isPlaying ? pause(recorded) : play(recorded));
  const ended = isOver(recorded);
  return html`<section class="recording" id="recording" aria-labelledby="recording-title">
    <h2 id="recording-title">${isKept ? "Earlier run" : "Recorded run"}</h2>
    <p>${isKept ? "Kept in this browser" : `Read from ${name}`}, by ${modelOf(recorded)}. ${dateOf(recorded)} Nothing is run here, and nothing is sent anywhere.</p>
    <div class="recording-buttons">
      <button type="button" id="recording-play" class="small" onClick=${toggle}>
        ${isPlaying ? "Pause" : ended ? "Play again" : "Play"}</button>
      <button type="button" id="recording-step" class="small" aria-disabled=${String(ended)} onClick=${() => step(recorded)}>
        Next iteration</button>
      <button type="button" id="recording-end" class="small" aria-disabled=${String(ended)} onClick=${() => playToEnd(recorded)}>
        To the end</button>
      <button type="button" id="recording-close" class="quiet small" onClick=${() => close(recorded)}>
        ${before ? "Back to the run before" : "Close"}</button>
      ${conversation !== null && html`<button type="button" id="recording-reopen" class="small" onClick=${() => onReopen(conversation)}>Continue its conversation</button>`}
      <progress aria-label="Played" value=${String(at)} max=${String(events.length)}></progress>
    </div>
  </section>`;
}

/** Play the recording that the page's address names, from this very site. */
export async function loadRecordingOfAddress() {
  const address = new URLSearchParams(location.search).get("recording");
  if (address === null) return;
  const url = new URL(address, location.href);
  if (url.origin !== location.origin)
    return refuse(address, `it is on ${url.origin}, and only this site's own are played`);
  try {
    const response = await fetch(url);
    if (!response.ok) return refuse(address, `the site answers with status ${response.status}`);
    const date = response.headers.get("last-modified");
    show(await response.text(), {
      name: url.pathname.split("/").at(-1) ?? address,
      changed: date === null ? null : new Date(date),
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    refuse(address, "the site does not answer");
  }
}

/** Files dropped beside the form: a trajectory is played. @param {DragEvent} event @returns {boolean} whether it is one */
export function takesRecording(event) {
  const [file, ...more] = event.dataTransfer?.files ?? [];
  const isBeside = event.target instanceof Element && event.target.closest("#outcome") !== null;
  if (!file || more.length > 0 || !isBeside || !/\.(jsonl|ndjson)$/.test(file.name) || isRunning()) return false;
  void read(file);
  return true;
}

/** @param {Event} event */
function choose(event) {
  const [file] = takeChosen(event);
  if (file) void read(file);
}

/** @param {File} file */
async function read(file) {
  try {
    show(await file.text(), { name: file.name, changed: new Date(file.lastModified) });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    refuse(file.name, `it cannot be read (${error.message})`);
  }
}

/** @param {string} log @param {{name: string, changed: Date | null}} file */
function show(log, file) {
  state.problems.recording = null;
  try {
    playRecording(log, file);
  } catch (error) {
    if (!(error instanceof Error && error.name === "ConfigError")) throw error;
    refuse(file.name, error.message);
  }
}

/** @param {string} name @param {string} why */
function refuse(name, why) {
  state.problems.recording = {
    title: `“${name}” cannot be played.`,
    cause: why,
    action:
      "Choose a file that “Download the trajectory” or “pyodide-rlm run --record” wrote, or a log of dspy.RLM, fast-rlm or droste.",
  };
  changed();
}

/** Back to the run that was shown before. @param {Recorded} recorded */
function close({ before }) {
  state.run = before;
  changed();
}

/** @param {Recorded} recorded */
function modelOf({ events }) {
  const [started] = events;
  const answered = events.find((event) => event.type === "call_finished" && event.model !== "");
  const model = started?.type === "run_started" ? started.model : null;
  return model ?? (answered?.type === "call_finished" ? answered.model : "a model that the log does not name");
}

/** A log tells seconds since its run began, and not when that was. @param {Recorded} recorded */
function dateOf({ changed: date, isKept }) {
  if (isKept && date !== null) return `It began on ${DAY.format(date)}.`;
  return `Its date is not known${date === null ? "." : `; the file was last changed on ${DAY.format(date)}.`}`;
}
