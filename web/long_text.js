// @ts-check
/**
 * Text of any length in a bounded part of the page: head and tail, the rest on request.
 *
 * In: an `Excerpt` of the text. Out: one `pre`, and a button when something is not shown.
 */

import { html, useState } from "/vendor/preact.mjs";
import { count } from "./format.js";
import { excerpt } from "./printed.js";

const SHORT = { lines: 24, chars: 4_000 };

/**
 * @param {{text: import("./printed.js").Excerpt, class: string, label: string}} props
 */
export function LongText({ text, class: className, label }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? text : excerpt(text, SHORT);
  const size = text.head.length + text.cut + text.tail.length;
  const isCut = excerpt(text, SHORT).cut > 0;
  const scroll = isWhole && isCut ? { tabIndex: 0, role: "region", "aria-label": label } : {};
  return html`<div class="long-text">
    <pre class="${className} ${isWhole ? "is-whole" : ""}" ...${scroll}>${shown.head}${
      shown.cut > 0 &&
      html`<span class="cut">${count(shown.cut)} characters ${isWhole ? "not kept" : "not shown"}</span>`
    }${shown.tail}</pre>
    ${
      isCut &&
      html`<button type="button" class="quiet small" aria-expanded=${String(isWhole)} onClick=${() => setWhole(!isWhole)}>
      ${isWhole ? "Show less" : `Show all ${count(size)} characters`}</button>`
    }
  </div>`;
}
