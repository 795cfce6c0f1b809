// @ts-check
/**
 * Choice of a model: a text field with the server's list below it, searched by any words. In: the choice, the catalogue.
 * Out: calls of `onChoose` with an id, or with "" for the default. Names that are not on the list are taken as typed.
 */

import { html, useLayoutEffect, useRef, useState } from "/vendor/preact.mjs";
import { fieldValue } from "./fields.js";
import { count } from "./format.js";
import { idOf, isWellFormed, matching, remarkOn } from "./models.js";

/** @typedef {import("./models.js").Model} Model */
/** @typedef {{id: string, label: string, note: string}} Row */

const MOST_ROWS = 50;

/**
 * @param {{id: string, label: string, value: string, otherwise: string, models: readonly Model[], problem: string | undefined,
 *   onChoose: (id: string) => void}} props `otherwise` describes the empty choice; `problem` is the id of its notice
 */
export function ModelField({ id, label, value, otherwise, models, problem, onChoose }) {
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const all = rowsFor(typed ?? "", models, otherwise);
  const rows = all.slice(0, MOST_ROWS);
  const active = Math.min(at, rows.length - 1);
  const show = (/** @type {boolean} */ open) => {
    setOpen(open);
    setAt(0);
  };
  const choose = (/** @type {string} */ chosen) => {
    setTyped(null);
    show(false);
    onChoose(chosen);
  };
  const leave = () => {
    show(false);
    if (typed !== null) choose(idOf(typed, models));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (isOpen) setAt((active + step + rows.length) % rows.length);
      else show(true);
    } else if (event.key === "Enter" && isOpen && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      choose(rows[active]?.id ?? idOf(typed ?? "", models));
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation(); // it closes the list; it does not stop a run
      setTyped(null);
      show(false);
    }
  };
  const onInput = (/** @type {Event} */ event) => {
    setTyped(fieldValue(event));
    show(true);
  };
  return html`<div class="model-field">
    <label for=${id}>${label}</label>
    <input id=${id} type="text" role="combobox" aria-expanded=${String(isOpen)} aria-controls="${id}-list" aria-autocomplete="list"
      aria-activedescendant=${isOpen && active >= 0 ? `${id}-row-${active}` : undefined} autocomplete="off" spellcheck=${false}
      aria-invalid=${problem ? "true" : undefined} aria-describedby=${problem} placeholder=${otherwise} value=${typed ?? value}
      onInput=${onInput} onKeyDown=${onKeyDown} onClick=${() => show(true)} onBlur=${leave}
      onFocus=${(/** @type {FocusEvent} */ { target }) => target instanceof HTMLInputElement && target.select()} />
    ${isOpen && html`<${List} id=${id} label=${label} rows=${rows} active=${active} more=${all.length - rows.length} onPick=${choose} />`}
  </div>`;
}

/** @param {{id: string, label: string, rows: readonly Row[], active: number, more: number, onPick: (id: string) => void}} props */
function List({ id, label, rows, active, more, onPick }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => list.current?.children[active]?.scrollIntoView({ block: "nearest" }), [active]);
  const keepFocus = (/** @type {Event} */ event) => event.preventDefault();
  return html`<div class="model-list" onMouseDown=${keepFocus}>
    ${
      rows.length === 0
        ? html`<p class="muted">No model has these words. Name one as “provider:model”.</p>`
        : html`<ul role="listbox" id="${id}-list" aria-label="${label}: models" ref=${list}>
      ${rows.map(
        (row, index) => html`<li role="option" id="${id}-row-${index}" aria-selected=${String(index === active)}
          onClick=${() => onPick(row.id)}><span>${row.label}</span>${row.note && html`<span class="muted">${row.note}</span>`}</li>`,
      )}</ul>`
    }
    ${more > 0 && html`<p class="muted">${count(more)} more: type some words of the name.</p>`}
  </div>`;
}

/** The default, or the name as typed; then the models that match. @param {string} typed @param {readonly Model[]} models
 * @param {string} otherwise @returns {Row[]} */
function rowsFor(typed, models, otherwise) {
  const text = typed.trim();
  const rows = matching(text, models).map((model) => ({ id: model.id, label: model.label, note: remarkOn(model) }));
  if (text === "") return [{ id: "", label: otherwise, note: "" }, ...rows];
  const exact = rows.filter(({ id }) => id === text);
  if (exact.length > 0) return [...exact, ...rows.filter(({ id }) => id !== text)];
  return isWellFormed(text) ? [{ id: text, label: text, note: "not on the list: used as typed" }, ...rows] : rows;
}
