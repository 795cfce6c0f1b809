// @ts-check
/** A JSON value as a tree that opens by and by. In: the value. Out: nested lists; branches exist once they are open. */

import { html, useState } from "/vendor/preact.mjs";
import { plural } from "./format.js";
import { Paged } from "./strip.js";

/** @param {{name: string | null, value: unknown, isOpen?: boolean}} props */
export function JsonTree({ name, value, isOpen: isOpenAtFirst = false }) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const label = name === null ? null : html`<span class="json-name">${name}: </span>`;
  if (typeof value !== "object" || value === null)
    return html`${label}<span class="json-value">${JSON.stringify(value)}</span>`;
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? plural(entries.length, "item") : plural(entries.length, "field");
  const row = (/** @type {[string, unknown]} */ [key, item]) =>
    html`<li key=${key}><${JsonTree} name=${key} value=${item} /></li>`;
  return html`<button type="button" class="json-branch" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      ${label}<span class="muted">${size}</span></button>
    ${isOpen && html`<${Paged} items=${entries} row=${row} />`}`;
}
