// @ts-check
/**
 * Source viewer: the place of a quote in its source. In: an item of evidence, and the context. Out: the text around it, of
 * which only the bytes that are shown are read, so that the source may have any size; or a picture of a document's page,
 * or the text around the quote in a document, both made in a contained worker.
 */

import { shownSource } from "/rlm/rlm.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "/vendor/preact.mjs";
import { ASSETS } from "./address.js";
import { placeOf } from "./quote_words.js";
import { openSource, sourcesOf } from "./sources.js";

/** @typedef {import("/rlm/rlm.js").RLMEvidence} RLMEvidence */
/** @typedef {{before: string, quoted: string, after: string, isFirst: boolean, isLast: boolean}} Excerpt */
/** @typedef {{picture: string, marks: number[][]}} Picture */

const AROUND_BYTES = 600;
const MORE_BYTES = 4_000;
const MOST_READ_BYTES = 64 << 10;
const NO_SOURCE = "The source is not here: give the files of the run to see the place.";

/** @param {{item: RLMEvidence, run: import("./types/run.js").RunView}} props */
export function SourceViewer({ item, run }) {
  const { context } = run;
  const held = sourcesOf(context).get(item.source ?? "");
  if (context === null || context === undefined) return html`<p class="muted">${NO_SOURCE}</p>`;
  const open = async () => openSource({ context, name: item.source ?? "", at: await atOf(item, held), run });
  return html`${
    held !== undefined && item.byteStart !== null
      ? html`<${TextPlace} item=${item} held=${held} />`
      : html`<${DocumentPlace} item=${item} context=${context} />`
  }
  ${held !== undefined && html`<p><button type="button" class="quiet small" onClick=${() => void open()}>Open the whole source</button></p>`}`;
}

/** @param {RLMEvidence} item @param {Blob | undefined} held @returns {Promise<import("./sources.js").At>} */
async function atOf({ byteStart, byteEnd, start, end, page, sheet, quote }, held) {
  if (byteStart !== null && byteEnd !== null && held !== undefined) {
    const mark = await markOf(held);
    return { byteStart: byteStart + mark, byteEnd: byteEnd + mark };
  }
  if (page !== null) return { page, quote };
  if (sheet !== null) return { sheet };
  return start === null || end === null ? null : { start, end };
}

/** @param {{item: RLMEvidence, held: Blob}} props */
function TextPlace({ item, held }) {
  const [[before, after], widen] = useState([AROUND_BYTES, AROUND_BYTES]);
  const excerpt = useRead(() => excerptOf(item, held, before, after), [item, held, before, after]);
  if (typeof excerpt === "string") return html`<p class="muted">${excerpt}</p>`;
  return html`<div class="source-viewer">
    ${
      !excerpt.isFirst &&
      html`<button type="button" class="quiet small" onClick=${() => widen([before + MORE_BYTES, after])}>Earlier text</button>`
    }
    <${Text} ...${excerpt} item=${item} />
    ${
      !excerpt.isLast &&
      html`<button type="button" class="quiet small" onClick=${() => widen([before, after + MORE_BYTES])}>Later text</button>`
    }
  </div>`;
}

/** @param {{item: RLMEvidence, context: unknown}} props */
function DocumentPlace({ item, context }) {
  const view = useRead(() => viewOf(item, context), [item, context]);
  useEffect(
    () => () => void (typeof view === "object" && "picture" in view && URL.revokeObjectURL(view.picture)),
    [view],
  );
  if (typeof view === "string") return html`<p class="muted" role="status">${view}</p>`;
  return "picture" in view
    ? html`<${Page} ...${view} item=${item} />`
    : html`<div class="source-viewer"><${Text} ...${view} item=${item} /></div>`;
}

/** @param {{item: RLMEvidence, before: string, quoted: string, after: string}} props */
function Text({ item, before, quoted, after }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => centre(box.current), [before]);
  return html`<pre class="output evidence-source" tabindex="0" aria-label=${placeOf(item)} ref=${box}>${before}<mark>${quoted}</mark>${after}</pre>`;
}

/** @param {Picture & {item: RLMEvidence}} props */
function Page({ picture, marks, item }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  return html`<div class="source-page" tabindex="0" role="group" aria-label=${placeOf(item)} ref=${box}>
    <div class="source-sheet">
      <img src=${picture} alt="${placeOf(item)}, as a picture. The quote on it: ${item.quote}" onLoad=${() => centre(box.current)} />
      ${marks.map(([left = 0, top = 0, width = 0, height = 0], index) => {
        const style = {
          left: `${100 * left}%`,
          top: `${100 * top}%`,
          width: `${100 * width}%`,
          height: `${100 * height}%`,
        };
        return html`<mark key=${index} aria-hidden="true" style=${style}></mark>`;
      })}
    </div>
  </div>`;
}

/** Scroll a box so that the first mark in it is in its middle. @param {HTMLElement | null} box */
function centre(box) {
  const mark = box?.querySelector("mark");
  if (!box || !mark) return;
  box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
}

/**
 * The outcome of reading, "…" before it, and a sentence where it fails.
 * @template T
 * @param {() => Promise<T>} read
 * @param {unknown[]} inputs
 * @returns {T | string}
 */
function useRead(read, inputs) {
  const [outcome, setOutcome] = useState(/** @type {T | string} */ ("…"));
  useEffect(() => {
    let isCurrent = true;
    const show = (/** @type {T | string} */ shown) => isCurrent && setOutcome(() => shown);
    read().then(show, (/** @type {Error} */ error) => show(`The place cannot be shown: ${error.message}`));
    return () => void (isCurrent = false);
  }, inputs);
  return outcome;
}

/**
 * @param {RLMEvidence} item
 * @param {unknown} context
 * @returns {Promise<Picture | {before: string, quoted: string, after: string}>}
 */
async function viewOf(item, context) {
  const options = { assets: ASSETS, context: /** @type {import("/rlm/rlm.js").RLMRunOptions["context"]} */ (context) };
  const { picture, ...view } = await shownSource(item, options);
  return picture === null ? view : { picture: URL.createObjectURL(picture), marks: view.marks };
}

/**
 * @param {RLMEvidence} item
 * @param {Blob} held
 * @param {number} before bytes
 * @param {number} after
 * @returns {Promise<Excerpt>}
 */
async function excerptOf({ byteStart, byteEnd }, held, before, after) {
  const mark = await markOf(held);
  const start = Number(byteStart) + mark;
  const end = Math.min(Number(byteEnd), Number(byteStart) + MOST_READ_BYTES) + mark;
  const read = (/** @type {number} */ from, /** @type {number} */ to) => held.slice(Math.max(mark, from), to).text();
  const [earlier, quoted, later] = await Promise.all([
    read(start - before, start),
    read(start, end),
    read(end, end + after),
  ]);
  const ends = { isFirst: start - before <= mark, isLast: end + after >= held.size };
  // a cut inside of a character leaves U+FFFD at the outer ends
  return { before: earlier.replace(/^\ufffd+/, ""), quoted, after: later.replace(/\ufffd+$/, ""), ...ends };
}

/** Bytes of the byte order mark, which a place in a text does not count. @param {Blob} held */
async function markOf(held) {
  return new Uint8Array(await held.slice(0, 3).arrayBuffer()).join() === "239,187,191" ? 3 : 0;
}
