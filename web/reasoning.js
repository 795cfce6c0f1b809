// @ts-check
/**
 * Reasoning that a model shows, folded and marked as no part of its reply. In: its text so far. Out: a line that names it
 * and its length, with the text on request. It is never sent again, and nothing in it runs.
 */

import { html } from "/vendor/preact.mjs";
import { plural } from "./format.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";

/** @param {{text: string, isLive: boolean}} props `isLive` while nothing of the reply itself has come */
export function Reasoning({ text, isLive }) {
  if (text === "") return null;
  return html`<details class="reasoning">
    <summary>Reasoning${isLive ? ", so far" : ""} <span class="muted">${plural(text.length, "character")}, no part of the reply</span></summary>
    <${LongText} text=${whole(text)} class="prose" label="Reasoning" />
  </details>`;
}
