// @ts-check
/** Copy: a button that puts text on the clipboard, also where the page's policy forbids its interface. In: text. */

import { html, useState } from "/vendor/preact.mjs";

/** @param {{id: string, text: string, label: string}} props */
export function CopyButton({ id, text, label }) {
  const [said, say] = useState(label);
  const copy = async () => say((await copyText(text)) ? "Copied" : "Not allowed here: select the text instead");
  return html`<button type="button" id=${id} class="small" onClick=${copy} aria-live="polite">${said}</button>`;
}

/** @param {string} text @returns {Promise<boolean>} */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return copyBySelection(text); // the page's policy forbids the clipboard API
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "visually-hidden";
  document.body.append(box);
  const focused = document.activeElement;
  box.select();
  const isCopied = document.execCommand("copy");
  box.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
