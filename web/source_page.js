// @ts-check
/**
 * A page of a PDF, drawn in a contained worker. In: the file, the number of the page, words to mark on it. Out: a picture,
 * and buttons to the pages before and after.
 */

import { shownSource } from "/rlm/rlm.js";
import { html, useEffect, useState } from "/vendor/preact.mjs";
import { ASSETS } from "./address.js";
import { count } from "./format.js";

/** @typedef {{picture: string, marks: number[][]}} Drawn */

/** @param {{file: Blob, page: number, pages: number, quote: string, onPage: (page: number) => void}} props */
export function SourcePage({ file, page, pages, quote, onPage }) {
  const [drawn, setDrawn] = useState(/** @type {Drawn | null} */ (null));
  const [said, say] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    say(`Drawing page ${count(page)} …`);
    draw(file, page, quote, stop.signal).then(
      (made) => {
        if (stop.signal.aborted) return URL.revokeObjectURL(made.picture);
        setDrawn(made);
        say("");
      },
      (/** @type {Error} */ error) =>
        !stop.signal.aborted && say(`Page ${count(page)} cannot be shown: ${error.message}`),
    );
    return () => stop.abort();
  }, [file, page, quote]);
  useEffect(() => () => void (drawn && URL.revokeObjectURL(drawn.picture)), [drawn]);
  const turn = (/** @type {number} */ step) => page + step >= 1 && page + step <= pages && onPage(page + step);
  const label = `Page ${count(page)} of ${count(pages)}`;
  return html`<p class="source-pages">
      <button type="button" class="small" id="source-before" aria-disabled=${String(page === 1)} onClick=${() => turn(-1)}>Previous page</button>
      <button type="button" class="small" id="source-after" aria-disabled=${String(page === pages)} onClick=${() => turn(1)}>Next page</button>
      <span role="status">${said || label}</span>
    </p>
    <div class="source-page" tabindex="0" role="group" aria-label=${label}>
      ${
        drawn &&
        html`<div class="source-sheet"><img src=${drawn.picture} alt="${label}, as a picture" />
        ${drawn.marks.map(
          ([left = 0, top = 0, width = 0, height = 0], at) =>
            html`<mark key=${at} aria-hidden="true" style=${{ left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * width}%`, height: `${100 * height}%` }}></mark>`,
        )}</div>`
      }
    </div>`;
}

/** @param {Blob} file @param {number} page @param {string} quote @param {AbortSignal} signal @returns {Promise<Drawn>} */
async function draw(file, page, quote, signal) {
  const item = { quote, source: "", page, start: 0, end: 0 };
  const { picture, marks } = await shownSource(item, { assets: ASSETS, context: file, signal });
  if (picture === null) throw new Error("it is no page of a PDF");
  return { picture: URL.createObjectURL(picture), marks };
}
