// @ts-check
/**
 * The part of the form that takes the context: paste, drop, choose, sample. In: `state`. Out: changes to `state`; a
 * file that cannot be read is explained and the rest is kept.
 */

import { html, useState } from "/vendor/preact.mjs";
import {
  MOST_TYPED_CHARS,
  apart,
  attach,
  attachFolder,
  attachPasted,
  contextValue,
  describeContext,
  inOrder,
  pathOf,
  sizeOf,
} from "./context.js";
import { ProblemNotice, explain } from "./errors.js";
import { fieldValue, isChecked, takeChosen } from "./fields.js";
import { chosenFolder, readFolder } from "./folders.js";
import { recipients } from "./before_run.js";
import { bytes, count, plural } from "./format.js";
import { takesRecording } from "./recording_field.js";
import { fetchSample } from "./samples.js";
import { changeSettings } from "./settings.js";
import { openSource } from "./sources.js";
import { changed, state } from "./state.js";
import { Paged } from "./strip.js";
import { WantedFiles, takeWanted } from "./wanted.js";

/** @typedef {import("./context.js").Attachment} Attachment */
/** @typedef {import("./folders.js").Folder} Folder */
/** @typedef {import("./samples.js").Sample} Sample */
/** @typedef {import("./types/run.js").Problem} Problem */

const MOST_NAMES = 3;

let lastLook = Promise.resolve();

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
      <span class="muted" role="status" id="context-looking">${lookingText()}</span>
    </div>
    <${WantedFiles} />
    <${AttachmentList} />
    ${state.problems.context && html`<${ProblemNotice} problem=${state.problems.context} id="context-problem" />`}
    <label class="check"><input id="keep-context" type="checkbox" checked=${state.settings.keepContext}
        onChange=${keepOrNot} /> Keep the context with the run, in this browser</label>
    <p class="privacy" id="context-privacy"><strong>${summary()}.</strong> What you add stays in
      this tab${recipients().leaves ? "; only the text of model calls leaves it" : ", and so do the model calls: nothing leaves it"}.</p>
  </fieldset>`;
}

function lookingText() {
  const { looking, looked } = state;
  if (looking === "") return "";
  return `Looking through “${looking}” …${looked > 0 ? ` ${plural(looked, "file")} so far` : ""}`;
}

/** @param {Event} event */
function keepOrNot(event) {
  changeSettings({ keepContext: isChecked(event) });
}

function AttachmentList() {
  if (state.attachments.length === 0) return null;
  const row = (/** @type {Attachment} */ attachment) =>
    html`<${AttachmentItem} key=${attachment.id} attachment=${attachment} />`;
  return html`<div class="attachments" role="group" aria-label="Attached"><${Paged} items=${state.attachments} row=${row} /></div>`;
}

/** @param {{attachment: Attachment}} props */
function AttachmentItem({ attachment }) {
  const { id, name, files, kind, faults } = attachment;
  const remove = () => {
    state.attachments = state.attachments.filter((other) => other.id !== id);
    changed();
  };
  const open = () => openSource({ context: contextValue(state.typed, state.attachments), name: pathOf(files[0]) });
  return html`<li>
    <span class="name">${name}</span>
    <span class="muted">${kind}, ${bytes(sizeOf(files))}</span>
    <button type="button" class="quiet small" aria-label="Open ${name}" onClick=${open}>Open</button>
    <button type="button" class="quiet small" aria-label="Remove ${name}" onClick=${remove}>Remove</button>
    ${faults.map((fault) => html`<span class="fault">${fault}</span>`)}
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
  const name = files[0]?.webkitRelativePath.split("/")[0];
  if (name !== undefined) void takeFolder(name, (onProgress) => chosenFolder(files, onProgress));
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
  const items = [...data.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const folders = items.map(({ entry }) => entry).filter(isFolder);
  await takeFiles(items.flatMap(({ entry, file }) => (file === null || entry?.isDirectory ? [] : [file])));
  for (const folder of folders) await takeFolder(folder.name, (onProgress) => readFolder(folder, onProgress));
}

/** @param {FileSystemEntry | null} entry @returns {entry is FileSystemDirectoryEntry} */
function isFolder(entry) {
  return entry?.isDirectory ?? false;
}

/**
 * @param {string} name
 * @param {(onProgress: (files: number) => void) => Promise<Folder | Problem>} read
 */
async function takeFolder(name, read) {
  await looking(name, async (onProgress) => {
    const folder = await read(onProgress);
    state.problems.context = "files" in folder ? null : folder;
    if ("files" in folder) keep(await attachFolder(folder));
  });
}

/** @param {File[]} files */
async function takeFiles(files) {
  if (files.length === 0) return;
  state.problems.context = null;
  const shown = files.length === 1 ? (files[0]?.name ?? "") : plural(files.length, "file");
  /** @type {string[]} */
  const unreadable = [];
  await looking(shown, async (onProgress) => {
    for (const [index, file] of files.entries()) {
      try {
        keep(await attach(file));
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        unreadable.push(file.name);
        state.problems.context = { ...explain(error), title: `${named(unreadable)} cannot be read.` };
      }
      onProgress(index + 1);
    }
  });
}

/**
 * Do `work`, after what is under way, while the page shows the name and the progress.
 *
 * @param {string} name
 * @param {(onProgress: (files: number) => void) => Promise<void>} work
 */
function looking(name, work) {
  const own = lastLook.then(() => look(name, work));
  lastLook = own.catch(() => {}); // it is reported where it is awaited, and the next one is looked at all the same
  return own;
}

/** @param {string} name @param {(onProgress: (files: number) => void) => Promise<void>} work */
async function look(name, work) {
  Object.assign(state, { looking: name, looked: 0 });
  changed();
  try {
    await work((files) => {
      state.looked = files;
      changed();
    });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    state.problems.context = { ...explain(error), title: `“${name}” cannot be read.` };
  } finally {
    state.looking = "";
    changed();
  }
}

/** @param {readonly string[]} names */
function named(names) {
  const more = names.length - MOST_NAMES;
  const shown = names.slice(0, MOST_NAMES).map((name) => `“${name}”`);
  return [...shown, ...(more > 0 ? [`${count(more)} more`] : [])].join(", ");
}

/** @param {Sample} sample */
export async function takeSample(sample) {
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
  const own = takeWanted(attachment);
  if (own) state.attachments = inOrder([...state.attachments, apart(own, state.attachments)]);
  changed();
}
