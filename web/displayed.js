// @ts-check
/**
 * The values that a block displayed: tables, pictures, JSON and Markdown. In: JSON text of the worker, checked once more.
 * Out: figures. A picture, SVG too, is an image element's alone, in which nothing runs and nothing is loaded; a plot whose
 * points are there is drawn by the page.
 */

import { displayedItems } from "/rlm/wire/displayed_items.js";
import { jsonIn } from "/rlm/wire/json.js";
import { html, useMemo } from "/vendor/preact.mjs";
import { ChartView } from "./chart.js";
import { JsonTree } from "./json_tree.js";
import { LongText } from "./long_text.js";
import { MOST_MARKDOWN_CHARS, markdownNodes } from "./markdown.js";
import { Nodes } from "./nodes.js";
import { TableView } from "./table_view.js";

/** @typedef {import("/rlm/wire/displayed_items.js").DisplayedItem} DisplayedItem */
/** @typedef {import("/rlm/wire/displayed_items.js").DisplayedImage} DisplayedImage */
/** @typedef {import("/rlm/wire/displayed_items.js").DisplayedText} DisplayedText */

/** @param {{json: string}} props */
export function Displayed({ json }) {
  const { items, wrong } = useMemo(() => displayedItems(json), [json]);
  if (wrong !== null) return html`<p class="muted">What it displayed cannot be shown: ${wrong}.</p>`;
  return html`<${DisplayedItems} items=${items} />`;
}

/** @param {{items: readonly DisplayedItem[]}} props */
export function DisplayedItems({ items }) {
  return items.map((item, at) => html`<${Item} key=${at} item=${item} />`);
}

/** @param {{item: DisplayedItem}} props */
function Item({ item }) {
  if (item.kind === "table") return html`<${TableView} item=${item} />`;
  return html`<figure class="displayed">
    ${item.title && html`<figcaption>${item.title}</figcaption>`}
    ${item.kind === "image" ? html`<${Picture} item=${item} />` : html`<${Text} item=${item} />`}
  </figure>`;
}

/** @param {{item: DisplayedImage}} props */
function Picture({ item }) {
  const { type, data, title, chart } = item;
  const picture = html`<img src="data:${type};base64,${data}" alt=${title || "Picture that the code displayed"} />`;
  return chart ? html`<${ChartView} chart=${chart} title=${title}>${picture}<//>` : picture;
}

/** @param {{item: DisplayedText}} props */
function Text({ item }) {
  const { kind, text, of } = item;
  const value = useMemo(() => (kind === "json" ? jsonIn(text) : undefined), [item]);
  if (kind === "json" && value !== undefined)
    return html`<div class="json-tree"><${JsonTree} name=${null} value=${value} isOpen=${true} /></div>`;
  if (kind === "json" || text.length > MOST_MARKDOWN_CHARS || of > text.length)
    return html`<${LongText} text=${{ head: text, cut: Math.max(0, of - text.length), tail: "" }} class="output" label="Displayed" />`;
  return html`<${Nodes} tag="div" class="markdown" text=${text} make=${markdownNodes} />`;
}
