// @ts-check
/**
 * Files that are wanted again: those of a form before a reload, or of a run that is continued without its context. In:
 * names and sizes. Out: a list with a place to drop them; a file of another size is named with both sizes.
 */

import { html } from "/vendor/preact.mjs";
import { sizeOf } from "./context.js";
import { bytes, count, plural } from "./format.js";
import { changed, state } from "./state.js";

/** @typedef {import("./context.js").Attachment} Attachment */
/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {import("./types/state.js").Wanted} Wanted */
/** @typedef {import("/rlm/log/journal.js").KeptRun} KeptRun */

const MOST_NAMES = 3;

export function WantedFiles() {
  const { wanted } = state;
  if (wanted.length === 0) return null;
  const row = (/** @type {Wanted} */ file) => html`<li key=${file.name}>
    <span class="name">${file.name}</span> <span class="muted">${sizeIn(file)}</span>
    <button type="button" class="quiet small" aria-label="Leave out ${file.name}" onClick=${() => leaveOut(file)}>Leave out</button></li>`;
  return html`<div class="wanted" id="wanted" tabindex="-1" role="group" aria-label="To be given again">
    <p><strong>Drop ${wanted.length === 1 ? "this" : "these"} here again, or choose ${wanted.length === 1 ? "it" : "them"}.</strong>${" "}
      The page was loaded anew, and may not open files by itself.</p>
    <ul>${wanted.map(row)}</ul>
  </div>`;
}

/**
 * An attachment comes: one that is wanted gets its position, and another of its name is refused with both sizes.
 *
 * @param {Attachment} attachment
 * @returns {Attachment | null} null where it is refused
 */
export function takeWanted(attachment) {
  const { name, files } = attachment;
  const size = sizeOf(files);
  const same = state.wanted.find((file) => file.name === name);
  if (!same) return attachment;
  if (same.size === size && same.files === files.length) {
    state.wanted = state.wanted.filter((file) => file !== same);
    return { ...attachment, at: same.at };
  }
  state.problems.context = {
    title: `This is not the “${name}” from before.`,
    cause: `This one has ${exact(size)}; the one before had ${exact(same.size)}.`,
    action: "Give that one, or leave it out of the list and then give this one.",
  };
  return null;
}

/** @param {Wanted} file */
function leaveOut(file) {
  state.wanted = state.wanted.filter((other) => other !== file);
  if (state.wanted.length === 0) state.problems.context = null;
  changed();
  document.getElementById("context-text")?.focus(); // the button that had the focus is gone
}

/** Why no run may begin while files are wanted. @returns {Problem | null} */
export function wantedProblem() {
  const { wanted } = state;
  if (wanted.length === 0) return null;
  return {
    title: `${namesOf(wanted)} ${wanted.length === 1 ? "is" : "are"} to be given again.`,
    cause: "Files were attached before the page was loaded anew. Without them the question would be asked over less.",
    action: "Drop them here or choose them, or leave them out.",
  };
}

/**
 * How `value` differs from the context that a kept run began with, by names and sizes; null where it does not.
 *
 * @param {KeptRun["given"]} given none where an earlier version kept the run
 * @param {import("./context.js").Context} value
 * @returns {{problem: Problem, wanted: Wanted[]} | null}
 */
export function otherContext(given = [], value) {
  const now = namedIn(value);
  const sizes = new Map(now.map(({ name, size }) => [name, size]));
  const names = new Set(given.map(({ name }) => name));
  const extra = now.filter(({ name }) => !names.has(name));
  const missing = given.filter(({ name }) => !sizes.has(name));
  const others = given.filter(({ name, size }) => sizes.has(name) && size !== undefined && sizes.get(name) !== size);
  if (given.length === 0 || missing.length + others.length + extra.length === 0) return null;
  const sentences = [
    missing.length > 0 && `${namesOf(missing.map(shown))} ${missing.length === 1 ? "is" : "are"} missing.`,
    ...others.slice(0, MOST_NAMES).map((one) => {
      const { name, size } = shown(one);
      return `“${name}” has ${exact(sizes.get(one.name) ?? 0)} now; it had ${exact(size)}.`;
    }),
    extra.length > 0 && `${namesOf(extra.map(shown))} ${extra.length === 1 ? "was" : "were"} not in it.`,
  ];
  const action = `Give it the same context: ${given
    .slice(0, MOST_NAMES)
    .map((one) => `${shown(one).name} (${exact(shown(one).size)})`)
    .join(", ")}${given.length > MOST_NAMES ? ` and ${count(given.length - MOST_NAMES)} more` : ""}.`;
  const problem = {
    title: "This is not the context that the run began with.",
    cause: sentences.filter(Boolean).join(" "),
    action,
  };
  const wanted = [...missing, ...others]
    .filter(({ type }) => type === "file")
    .map((one) => ({ ...shown(one), files: 1, at: given.indexOf(one) }));
  return { problem, wanted };
}

/** The contexts of a value, as the journal names them. @param {import("./context.js").Context} value */
function namedIn(value) {
  if (value === null) return [];
  if (typeof value === "string")
    return [{ name: "context", type: "text", size: new TextEncoder().encode(value).length }];
  const files = value instanceof File ? [value] : value;
  return files.map((file) => ({ name: file.webkitRelativePath || file.name, type: "file", size: file.size }));
}

/** @param {{name: string, type: string, size?: number}} context */
function shown({ name, type, size = 0 }) {
  return { name: type === "text" ? "the pasted text" : name, size };
}

/** @param {Wanted} wanted */
function sizeIn({ files, size }) {
  return files === 1 ? bytes(size) : `${plural(files, "file")}, ${bytes(size)}`;
}

/** Sizes that differ by little are told apart. @param {number} size */
function exact(size) {
  return plural(size, "byte");
}

/** @param {ReadonlyArray<{name: string}>} files */
function namesOf(files) {
  const more = files.length - MOST_NAMES;
  return [
    ...files.slice(0, MOST_NAMES).map(({ name }) => `“${name}”`),
    ...(more > 0 ? [`${count(more)} more`] : []),
  ].join(", ");
}
