// @ts-check
/**
 * The console: Python of the person in the REPL of the conversation, with its variables. In: keys and code. Out: entries
 * with their output, as text and figures like those of a run's block. No model is asked; see console_entries.js.
 */

import { html, useEffect, useLayoutEffect, useRef, useState } from "/vendor/preact.mjs";
import { Block } from "./block.js";
import { completed } from "./completion.js";
import { enter, listVariables, view } from "./console_entries.js";
import { replLives } from "./conversation.js";
import { ProblemNotice } from "./errors.js";
import { fieldValue } from "./fields.js";
import { plural } from "./format.js";
import { changed, isRunning, state } from "./state.js";

/** @typedef {import("/rlm/rlm.js").RLMVariable} RLMVariable */
/** @typedef {() => Promise<import("./conversation.js").Conversation | null>} OpenSession */

const INDENT = "    ";
const MOST_LISTED = 20;

/** Below the newest answer of a conversation, where its REPL lives or can be rebuilt. @param {{session: OpenSession}} props */
export function Console({ session }) {
  const isShown = state.run !== null && state.run === state.followable;
  const toggle = (/** @type {Event} */ { target }) => {
    if (target instanceof HTMLDetailsElement) setOpen(target.open, session);
  };
  if (!isShown) return null;
  if (isRunning())
    return (
      view.isOpen &&
      html`<p class="muted console-waits" id="console-waits">The Python console opens when the run ends or is stopped: until then its interpreter is at work.</p>`
    );
  return html`<details class="console" id="console" open=${view.isOpen} onToggle=${toggle}>
    <summary>Python console <span class="muted">in the interpreter of this conversation; no model, no cost</span></summary>
    ${view.isOpen && html`<${Body} key=${state.run?.startedAt} session=${session} />`}
  </details>`;
}

/** @param {boolean} isOpen @param {OpenSession} session */
function setOpen(isOpen, session) {
  if (isOpen === view.isOpen) return;
  view.isOpen = isOpen;
  changed();
  if (isOpen && view.variables === null && replLives()) void listVariables(session);
}

/** @param {{session: OpenSession}} props */
function Body({ session }) {
  useEffect(() => {
    if (replLives()) void listVariables(session); // a run has ended since
  }, []);
  return html`<div class="console-body">
    ${
      view.entries.length > 0 &&
      html`<ol class="console-entries" id="console-entries" aria-label="Entries of the console">
      ${view.entries.map((entry) => html`<li key=${entry.block}><${Block} block=${entry} isLive=${view.stop !== null && entry === view.entries.at(-1)} /></li>`)}
    </ol>`
    }
    ${view.problem && html`<${ProblemNotice} problem=${view.problem} id="console-problem" />`}
    <${Prompt} session=${session} />
    <${Variables} variables=${view.variables} />
  </div>`;
}

/** @param {{session: OpenSession}} props */
function Prompt({ session }) {
  const [code, setCode] = useState("");
  const [candidates, setCandidates] = useState(/** @type {readonly string[]} */ ([]));
  const [past, setPast] = useState(/** @type {number | null} */ (null));
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const caret = useRef(/** @type {number | null} */ (null));
  const isBusy = view.stop !== null;
  useLayoutEffect(() => {
    if (caret.current !== null) field.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  });
  /** @param {string} text @param {number} [at] */
  const write = (text, at = text.length) => {
    caret.current = at;
    setCode(text);
  };
  const run = () => {
    if (code.trim() === "" || isBusy) return;
    write("");
    setCandidates([]);
    setPast(null);
    void enter(code, session);
  };
  /** @param {-1 | 1} step whether there was an entry to show */
  const browse = (step) => {
    const typed = view.entries.map((entry) => entry.code);
    const at = (past ?? typed.length) + step;
    if (at < 0 || at > typed.length || (past === null && step === 1)) return false;
    setPast(at === typed.length ? null : at);
    write(typed[at] ?? "");
    return true;
  };
  const complete = () => {
    const element = field.current;
    if (element === null || element.selectionStart !== element.selectionEnd) return false;
    const names = (view.variables ?? []).map(({ name }) => name);
    const found = completed(code, element.selectionStart, names);
    if (found === null || (found.text === code && candidates.length > 0)) return false;
    write(found.text, found.caret);
    setCandidates(found.candidates);
    return true;
  };
  const newLine = () => {
    const at = field.current?.selectionStart ?? code.length;
    const [line = ""] = code.slice(0, at).split("\n").slice(-1);
    const indent = (/^\s*/.exec(line)?.[0] ?? "") + (line.trimEnd().endsWith(":") ? INDENT : "");
    write(`${code.slice(0, at)}\n${indent}${code.slice(at)}`, at + 1 + indent.length);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    const at = field.current?.selectionStart ?? 0;
    const isPlain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    let isTaken = false;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) isTaken = taken(run);
    else if (event.key === "Enter" && event.shiftKey) isTaken = taken(newLine);
    else if (event.key === "Enter" && isPlain) isTaken = taken(isWhole(code, at) ? run : newLine);
    else if (event.key === "Tab" && isPlain) isTaken = complete();
    else if (event.key === "ArrowUp" && isPlain && !code.slice(0, at).includes("\n")) isTaken = browse(-1);
    else if (event.key === "ArrowDown" && isPlain && !code.slice(at).includes("\n")) isTaken = browse(1);
    else if (event.key === "Escape" && isBusy) isTaken = taken(() => view.stop?.abort());
    if (!isTaken) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onInput = (/** @type {Event} */ event) => {
    setCode(fieldValue(event));
    setCandidates([]);
  };
  return html`<div class="console-prompt">
    <label for="console-code">Python</label>
    <textarea id="console-code" ref=${field} rows=${Math.min(12, code.split("\n").length)} value=${code} spellcheck=${false} autocomplete="off"
      autocapitalize="off" onInput=${onInput} onKeyDown=${onKeyDown} aria-describedby="console-hint"></textarea>
    <p class="console-actions">
      ${
        isBusy
          ? html`<button type="button" class="small" id="console-stop" onClick=${() => view.stop?.abort()}>Stop the code</button>`
          : html`<button type="button" class="small" id="console-run" onClick=${run}>Run code</button>`
      }
      <span class="muted" id="console-hint"><span class="of-keys">Enter runs a line, Shift+Enter adds one; ↑ ↓ earlier code, Tab completes a name. </span>Later questions see your variables. <code>llm_query</code> is refused here.</span>
    </p>
    <p class="muted candidates" role="status" id="console-candidates">${listed(candidates)}</p>
  </div>`;
}

/** @param {() => void} action */
function taken(action) {
  action();
  return true;
}

/** Whether Enter runs the code: it is one line that opens no block, or it ends with an empty one. @param {string} code @param {number} at */
function isWhole(code, at) {
  if (at < code.trimEnd().length) return !code.includes("\n");
  const lines = code.split("\n");
  if (lines.length > 1) return lines.at(-1)?.trim() === "";
  return !/[:\\([{,]\s*$/.test(code);
}

/** @param {readonly string[]} candidates */
function listed(candidates) {
  const more = candidates.length - MOST_LISTED;
  return candidates.slice(0, MOST_LISTED).join("  ") + (more > 0 ? ` and ${more} more` : "");
}

/** @param {{variables: readonly RLMVariable[] | null}} props */
function Variables({ variables }) {
  if (view.isRebuilding && variables === null)
    return html`<p class="muted" role="status">The variables are being rebuilt from the record …</p>`;
  if (variables === null)
    return html`<p class="muted">The variables are listed after the first entry: they are rebuilt from the record then.</p>`;
  return html`<section class="variables" aria-label="Variables">
    <h3>${plural(variables.length, "variable")}</h3>
    <div class="variables-table" tabindex="0" role="region" aria-label="Table of the variables">
      <table id="variables"><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Size</th><th scope="col">Value</th></tr></thead>
        <tbody>${variables.map(
          ({ name, type, size, preview }) =>
            html`<tr key=${name}><th scope="row"><code>${name}</code></th><td>${type}</td><td>${size}</td><td><code>${preview}</code></td></tr>`,
        )}</tbody></table>
    </div>
  </section>`;
}
