// @ts-check
/**
 * What a person can do with an iteration of a run that is over: fork the run from it, with a model's next reply or with code
 * of their own in its place. In: the iteration. Out: calls of `onFork`. Nothing runs here.
 */

import { html, useState } from "/vendor/preact.mjs";
import { fieldValue } from "./fields.js";

/** @typedef {import("./types/run.js").IterationView} IterationView */
/** @typedef {(iteration: number, code?: string[]) => void} OnFork */

/** @param {{iteration: IterationView, onFork: OnFork}} props */
export function ForkActions({ iteration, onFork }) {
  const [isEditing, setEditing] = useState(false);
  const { iteration: number } = iteration;
  const kept = number === 1 ? "nothing of this run is kept" : "what came before is kept, and not paid for again";
  if (isEditing) return html`<${Editor} iteration=${iteration} onFork=${onFork} onClose=${() => setEditing(false)} />`;
  return html`<p class="fork"><button type="button" class="quiet small" aria-label="Edit the code, iteration ${number}"
      title="Run your code in place of this reply; ${kept}" onClick=${() => setEditing(true)}>Edit the code</button>
    <button type="button" class="quiet small" aria-label="Fork from here, iteration ${number}"
      title="Run with the question, the models and the context of the form; ${kept}" onClick=${() => onFork(number)}>
      Fork from here</button></p>`;
}

/** @param {{iteration: IterationView, onFork: OnFork, onClose: () => void}} props */
function Editor({ iteration, onFork, onClose }) {
  const [blocks, setBlocks] = useState(() => codeOf(iteration));
  const code = blocks.filter((block) => block.trim() !== "");
  const { iteration: number } = iteration;
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const isRun = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!isRun && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (!isRun) onClose();
    else if (code.length > 0) onFork(number, code);
  };
  return html`<fieldset class="edit-code" onKeyDown=${keys}>
    <legend>Code of iteration ${number}</legend>
    ${blocks.map(
      (
        block,
        at,
      ) => html`<textarea key=${at} rows=${Math.min(24, Math.max(3, block.split("\n").length))} value=${block} spellcheck=${false}
        autofocus=${at === 0} aria-label=${blocks.length > 1 ? `Block ${at + 1} of ${blocks.length}` : "Python"}
        onInput=${(/** @type {Event} */ event) => setBlocks(blocks.map((other, index) => (index === at ? fieldValue(event) : other)))}></textarea>`,
    )}
    <p class="muted">It runs in place of the model’s reply, over the context of the form; then the model continues. Its sub-calls are made anew.</p>
    <p class="fork"><button type="button" class="quiet small" onClick=${onClose}>Cancel</button>
      <button type="button" class="small" disabled=${code.length === 0} onClick=${() => onFork(number, code)}>Run with this code</button></p>
  </fieldset>`;
}

/** @param {IterationView} iteration */
function codeOf({ blocks }) {
  return blocks.length > 0 ? blocks.map(({ code }) => code) : [""];
}
