// @ts-check
/**
 * Usage of a run. In: `ModelUsage` by model, for the tree and for each run of it. Out: tables, a line, and costs as
 * people read them: a price that is not known is "unknown", never 0.
 */

import { html, useState } from "/vendor/preact.mjs";
import { count, plural } from "./format.js";
import { state } from "./state.js";

/** @typedef {import("/rlm/rlm.js").ModelUsage} ModelUsage */
/** @typedef {Readonly<Record<string, ModelUsage>>} Usage model -> its usage */
/** @typedef {{name: string, model: string, used: ModelUsage}} Row */

const MOST_ROWS = 50;
const DOLLARS = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SMALL = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** @param {{result: import("./types/run.js").RLMResult}} props */
export function UsageTables({ result: { usage, usageByPath, usageFromRecord, usageOfCompaction } }) {
  const [isOpen, setOpen] = useState(false);
  const models = Object.entries(usage).map(([model, used]) => ({ name: "", model, used }));
  const runs = inTreeOrder(Object.entries(usageByPath)).flatMap(([path, byModel]) =>
    Object.entries(byModel).map(([model, used]) => ({ name: path === "" ? "root" : path, model, used })),
  );
  if (models.length === 0) return null;
  return html`<details class="usage" id="usage" onToggle=${(/** @type {Event} */ event) =>
    setOpen(/** @type {HTMLDetailsElement} */ (event.target).open)}>
    <summary>Usage <span class="muted">${shownInWords(usage)}</span></summary>
    ${
      isOpen &&
      html`<${Table} title="By model" rows=${models} />
      <${Part} id="usage-from-record" label="Of it answered from a record, and paid earlier:" usage=${usageFromRecord} />
      <${Part} id="usage-of-compaction" label="Of it for summaries of the conversation:" usage=${usageOfCompaction} />
      ${Object.keys(usageByPath).length > 1 && html`<${Table} title="By run" rows=${runs} of="Run" />`}`
    }
  </details>`;
}

/** One line for a part of the usage, where there is any. @param {{id: string, label: string, usage: Usage}} props */
function Part({ id, label, usage }) {
  return (
    Object.keys(usage).length > 0 && html`<p class="label usage-line" id=${id}>${label} ${shownInWords(usage)}</p>`
  );
}

/** One line for a child run. @param {{usage: Usage}} props */
export function UsageLine({ usage }) {
  return html`<p class="label usage-line">Used, with the runs below it: ${shownInWords(usage)}</p>`;
}

/**
 * @param {number | null} dollars
 * @returns {string} "unknown" for `null`
 */
export function cost(dollars) {
  if (dollars === null) return "unknown";
  return `$${dollars === 0 || dollars >= 1 ? DOLLARS.format(dollars) : SMALL.format(dollars)}`;
}

/** Each run before those below it. @template T @param {[path: string, value: T][]} entries */
function inTreeOrder(entries) {
  return entries.sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
}

/** @param {{title: string, rows: readonly Row[], of?: string}} props */
function Table({ title, rows, of }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? rows : rows.slice(0, MOST_ROWS);
  return html`<div class="usage-table" tabindex="0" role="region" aria-label="Usage ${title.toLowerCase()}"><table>
      <caption>${title}</caption>
      <thead><tr>${of && html`<th scope="col" class="name">${of}</th>`}<th scope="col" class="name">Model</th><th scope="col">Calls</th>
        <th scope="col">Tokens in</th><th scope="col">of them cached</th><th scope="col">Tokens out</th>
        <th scope="col">Cost (USD)</th></tr></thead>
      <tbody>${shown.map(
        ({ name, model, used }) => html`<tr>
        ${of && html`<th scope="row" class="name">${name}</th>`}<td class="name">${model}</td>${amounts(used).map((text) => html`<td>${text}</td>`)}
      </tr>`,
      )}</tbody>
    </table>
    ${
      rows.length > shown.length &&
      html`<button type="button" class="quiet small" onClick=${() => setWhole(true)}>
      Show all ${count(rows.length)} rows</button>`
    }</div>`;
}

/** @param {ModelUsage} used @returns {string[]} */
function amounts({ calls, input_tokens, cached_tokens, output_tokens, cost: dollars }) {
  return [calls, input_tokens, cached_tokens, output_tokens].map(count).concat(cost(dollars));
}

/** As the person wants it: with its cost, or without. @param {Usage} usage */
function shownInWords(usage) {
  return inWords(usage, state.settings.showsPrices);
}

/** @param {Usage} usage @param {boolean} [withCost] */
export function inWords(usage, withCost = true) {
  const all = Object.values(usage);
  const sum = (/** @type {"calls" | "input_tokens" | "output_tokens"} */ name) =>
    all.reduce((total, used) => total + used[name], 0);
  const isKnown = all.every((used) => used.cost !== null);
  const dollars = isKnown ? all.reduce((total, used) => total + (used.cost ?? 0), 0) : null;
  const tokens = `${count(sum("input_tokens"))} tokens in, ${count(sum("output_tokens"))} out`;
  return `${plural(sum("calls"), "call")}, ${tokens}${withCost ? `, cost ${cost(dollars)}` : ""}`;
}
