// @ts-check
/**
 * The part of the form that takes the context: paste, drop, choose, sample. In: `state`. Out: changes to `state`; a
 * file that cannot be read is explained and the rest is kept.
 */

import { html, useState } from "/vendor/preact.mjs";
import {
  MOST_TYPED_CHARS,
  attach,
  attachFolder,
  attachPasted,
  contextValue,
  describeContext,
  sizeOf,
} from "./context.js";
import { ProblemNotice, explain } from "./errors.js";
import { fieldValue, isChecked, takeChosen } from "./fields.js";
import { chosenFolder, readFolder } from "./folders.js";
import { bytes } from "./format.js";
import { takesRecording } from "./recording_field.js";
import { fetchSample } from "./samples.js";
import { changeSettings } from "./settings.js";
import { changed, state } from "./state.js";

/** @typedef {import("./context.js").Attachment} Attachment */
/** @typedef {import("./samples.js").Sample} Sample */

export function ContextField() {
  const [isOver, setOver] = useState(false);
  return html`<fieldset class="field context ${isOver ? "is-over" : ""}"
      onDragOver=${() => setOver(true)} onDragLeave=${() => setOver(false)} onDrop=${() => setOver(false)}>
    <legend>Context</legend>
    <textarea id="context-text" rows="4" aria-label="Context text" placeholder="Paste text here, or drop files or folders"
      aria-describedby="context-privacy" spellcheck="false"
      value=${state.typed} onInput=${type} onPaste=${paste}></textarea>
    <div class="row">
      <label class="file-button small">Choose files
        <input id="context-files" type="file" multiple class="visually-hidden" onChange=${choose} /></label>
      <label class="file-button small">Choose a folder
        <input id="context-folder" type="file" webkitdirectory class="visually-hidden"
          onChange=${chooseFolder} /></label>
      <${SamplePicker} />
      <span class="muted" role="status" id="context-looking">${state.looking && `Looking through “${state.looking}” …`}</span>
    </div>
    <${AttachmentList} />
    ${state.problems.context && html`<${ProblemNotice} problem=${state.problems.context} id="context-problem" />`}
    <label class="check"><input id="keep-context" type="checkbox" checked=${state.settings.keepContext}
        onChange=${keepOrNot} /> Keep the context in this browser until the run ends</label>
    <p class="privacy" id="context-privacy"><strong>${summary()}.</strong> What you add stays in
      this tab; only the text of model calls leaves it.</p>
  </fieldset>`;
}

/** @param {Event} event */
function keepOrNot(event) {
  changeSettings({ keepContext: isChecked(event) });
}

function AttachmentList() {
  if (state.attachments.length === 0) return null;
  return html`<ul class="attachments" aria-label="Attached">
    ${state.attachments.map((attachment) => html`<${AttachmentItem} key=${attachment.id} attachment=${attachment} />`)}
  </ul>`;
}

/** @param {{attachment: Attachment}} props */
function AttachmentItem({ attachment }) {
  const { id, name, files, kind } = attachment;
  const remove = () => {
    state.attachments = state.attachments.filter((other) => other.id !== id);
    changed();
  };
  return html`<li>
    <span class="name">${name}</span>
    <span class="muted">${kind}, ${bytes(sizeOf(files))}</span>
    <button type="button" class="quiet small" aria-label="Remove ${name}" onClick=${remove}>Remove</button>
  </li>`;
}

function SamplePicker() {
  if (state.samples.length === 0) return null;
  const pick = (/** @type {Event} */ event) => {
    const box = /** @type {HTMLSelectElement} */ (event.target);
    const sample = state.samples[Number(box.value)];
    box.value = "";
    if (sample) void takeSample(sample);
  };
  return html`<select id="context-sample" class="small" aria-label="Use a sample" onChange=${pick}>
    <option value="">Use a sample …</option>
    ${state.samples.map((sample, index) => html`<option value=${String(index)}>${sample.title}</option>`)}
  </select>`;
}

function summary() {
  const context = contextValue(state.typed, state.attachments);
  return context === null ? "No context yet" : `Context: ${describeContext(context)}`;
}

/** @param {Event} event */
function type(event) {
  state.typed = fieldValue(event);
  changed();
}

/** @param {ClipboardEvent} event */
function paste(event) {
  const data = event.clipboardData;
  if (!data) return;
  const text = data.getData("text/plain");
  if (data.files.length === 0 && text.length <= MOST_TYPED_CHARS) return;
  event.preventDefault();
  if (data.files.length > 0) void takeFiles([...data.files]);
  else void attachPasted(text).then(keep);
}

/** @param {Event} event */
function choose(event) {
  void takeFiles(takeChosen(event));
}

/** @param {Event} event */
function chooseFolder(event) {
  const files = takeChosen(event);
  if (files.length > 0) keepFolder(chosenFolder(files));
}

/**
 * Files dropped anywhere on the page are context, but for a trajectory beside the form, which is played: left to the browser, a drop would replace the page and all in it.
 */
export function takeDrops() {
  const isFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer || !isFiles(event)) return;
    event.preventDefault();
    if (!takesRecording(event)) void takeDrop(event.dataTransfer);
  });
}

/** @param {DataTransfer} data which is empty as soon as this function waits */
async function takeDrop(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry());
  const folders = /** @type {FileSystemDirectoryEntry[]} */ (entries.filter((entry) => entry?.isDirectory));
  const names = new Set(folders.map(({ name }) => name));
  await takeFiles([...data.files].filter(({ name }) => !names.has(name)));
  for (const folder of folders) await takeFolder(folder);
}

/** @param {FileSystemDirectoryEntry} entry */
async function takeFolder(entry) {
  state.looking = entry.name;
  changed();
  try {
    keepFolder(await readFolder(entry));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    state.problems.context = { ...explain(error), title: `“${entry.name}” cannot be read.` };
  } finally {
    state.looking = "";
    changed();
  }
}

/** @param {import("./folders.js").Folder | import("./types/run.js").Problem} folder */
function keepFolder(folder) {
  state.problems.context = "files" in folder ? null : folder;
  if ("files" in folder) keep(attachFolder(folder));
  else changed();
}

/** @param {File[]} files */
async function takeFiles(files) {
  state.problems.context = null;
  changed();
  for (const file of files) {
    try {
      keep(await attach(file));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      state.problems.context = { ...explain(error), title: `“${file.name}” cannot be read.` };
      changed();
    }
  }
}

/** @param {Sample} sample */
async function takeSample(sample) {
  const file = await fetchSample(sample);
  if (!(file instanceof File)) {
    state.problems.context = file;
    changed();
    return;
  }
  const question = state.question.trim();
  if (question === "" || state.samples.some((other) => other.question === question)) state.question = sample.question;
  await takeFiles([file]);
}

/** @param {Attachment} attachment */
function keep(attachment) {
  state.attachments = [...state.attachments.filter(({ name }) => name !== attachment.name), attachment];
  changed();
}
