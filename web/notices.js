// @ts-check
/**
 * Notices of a run as sentences. In: a `RunView`. Out: those that concern the person, newest last; the technical ones in
 * a fold.
 */

import { html } from "/vendor/preact.mjs";
import { sentence } from "./format.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").NoticeView} NoticeView */

/** Codes of the notices that only a developer needs. */
const TECHNICAL = ["worker_ready", "fits_window"];
/** Before each text that the worker sent, so that none passes for the host's. */
const OF_WORKER = "worker: ";

/** @param {{run: RunView}} props */
export function Notices({ run: { notices } }) {
  const technical = notices.filter(isTechnical);
  const shown = notices.filter((notice) => !isTechnical(notice));
  return html`${
    shown.length > 0 &&
    html`<ul class="notices" aria-label="Notices">${shown.map((notice) => html`<li><${NoticeText} notice=${notice} /></li>`)}</ul>`
  }
  ${
    technical.length > 0 &&
    html`<details class="technical" id="technical"><summary>Details</summary>
      ${technical.map(({ text }) => html`<p>${sentence(text)}</p>`)}</details>`
  }`;
}

/** @param {{notice: NoticeView}} props */
export function NoticeText({ notice: { text } }) {
  if (!text.startsWith(OF_WORKER)) return html`${sentence(text)}`;
  return html`<span class="muted">From the run’s Python:</span> ${sentence(text.slice(OF_WORKER.length))}`;
}

/** @param {NoticeView} notice */
function isTechnical({ code }) {
  return code !== null && TECHNICAL.includes(code);
}
