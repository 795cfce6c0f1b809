// @ts-check
/**
 * The egress of a run: each call with its size and its destination, and a view over the context with the sent parts marked.
 * In: a `RunView`. Out: one line while it is closed; the rest on request. Everything here is the host's own account.
 */

import { readDestination } from "/rlm/wire/destination.js";
import { html, useState } from "/vendor/preact.mjs";
import { EgressMap } from "./egress_map.js";
import { bytes, count, plural } from "./format.js";
import { imageCount, imageFacts, imageName } from "./images.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").EgressCall} EgressCall */

const PAGE = 20;

/** @param {{run: RunView}} props */
export function Egress({ run }) {
  const [isOpen, setOpen] = useState(false);
  const { calls } = run.egress;
  if (calls.length === 0) return null;
  return html`<section class="egress" id="egress" aria-labelledby="egress-title">
    <h2 id="egress-title"><button type="button" class="egress-head" aria-expanded=${String(isOpen)}
      onClick=${() => setOpen(!isOpen)}>
      <span>What left this tab</span> <span class="muted" id="egress-sums">${sums(run)}</span>
    </button></h2>
    ${
      isOpen &&
      html`<div class="egress-body">
      <${Destinations} run=${run} />
      <${EgressMap} run=${run} />
      <p class="muted">Marked is text that stands in a call as it stands in the context, in pieces of at least 32
        bytes. Shorter pieces, and text that was changed on the way (summed up, translated, encoded), are not
        found; the calls below show all that was sent.</p>
      <${Unsearched} run=${run} />
      <${CallList} run=${run} />
    </div>`
    }
  </section>`;
}

/** @param {RunView} run */
function sums({ egress }) {
  const { calls, denied, unused, left, of } = egress;
  const to = [...new Set(calls.map((call) => call.to))].join(", ");
  const share =
    of === 0
      ? "no context was searched"
      : `${count(left)} of ${plural(of, "character")} of the context (${percent(left, of)})`;
  const parts = [`${plural(calls.length - denied, "call")}, ${bytes(egress.bytes)} to ${to}`, share];
  if (denied > 0) parts.push(`${count(denied)} denied`);
  if (unused > 0) parts.push(`${count(unused)} sent, not used`);
  return parts.join("; ");
}

/** @param {number} part @param {number} all */
function percent(part, all) {
  const share = (100 * part) / all;
  return part > 0 && share < 0.01 ? "less than 0.01 %" : `${share.toFixed(share < 10 ? 2 : 0)} %`;
}

/** @param {{run: RunView}} props */
function Unsearched({ run }) {
  const unsearched = run.result?.egress.unsearched ?? [];
  if (unsearched.length === 0) return null;
  return html`<p class="egress-unsearched">Not searched: ${unsearched.join("; ")}.</p>`;
}

/** A row for each destination: what it is, and what left for it. @param {{run: RunView}} props */
function Destinations({ run }) {
  const rows = totals(run.egress.calls);
  return html`<div class="egress-destinations" role="region" aria-label="Destinations" tabindex="0"><table>
    <thead><tr><th scope="col">Server</th><th scope="col">Provider</th><th scope="col">Model</th><th scope="col">Machine</th>
      <th scope="col">Calls</th><th scope="col">Characters</th><th scope="col">New of the context</th></tr></thead>
    <tbody>${rows.map(
      ({ origin, provider, model, host, calls, chars, added }) => html`<tr>
        <td>${origin}</td><td>${provider ?? "not known"}</td><td>${model ?? "the default"}</td><td>${host ?? "not known"}</td>
        <td>${count(calls)}</td><td>${count(chars)}</td><td>${count(added)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

/** The calls that left, by destination. @param {readonly EgressCall[]} calls */
function totals(calls) {
  /** @type {Map<string, import("/rlm/wire/types.js").RLMDestination & {calls: number, chars: number, added: number}>} */
  const rows = new Map();
  for (const { to, model: requested, chars, new_chars: added, denied } of calls) {
    if (denied !== null) continue;
    const named = readDestination(to);
    const key = `${to} ${named.model ?? requested ?? ""}`; // a log before 2026-11-28 names the origin alone
    const row = rows.get(key) ?? { ...named, model: named.model ?? requested, calls: 0, chars: 0, added: 0 };
    rows.set(key, { ...row, calls: row.calls + 1, chars: row.chars + chars, added: row.added + added });
  }
  return [...rows.values()];
}

/** @param {{run: RunView}} props */
function CallList({ run }) {
  const [shown, setShown] = useState(PAGE);
  const { calls } = run.egress;
  return html`<ul class="egress-calls" aria-label="Calls">
      ${calls.slice(0, shown).map((call) => html`<${Call} key=${call.call} call=${call} run=${run} />`)}
    </ul>
    ${
      calls.length > shown &&
      html`<button type="button" class="quiet small" onClick=${() => setShown(shown + PAGE)}>
      Show ${Math.min(PAGE, calls.length - shown)} more of ${plural(calls.length, "call")}</button>`
    }`;
}

/** @param {EgressCall} call @param {RunView} run */
function stateOf(call, run) {
  if (call.denied !== null) return "denied";
  return run.calls.get(call.call)?.isUnused ? "sent, not used" : `${count(call.new_chars)} new`;
}

/** @param {{call: EgressCall, run: RunView}} props */
function Call({ call, run }) {
  const [isOpen, setOpen] = useState(false);
  const label = call.kind === "sub" ? "Prompt" : "What was new in the conversation";
  return html`<li class="call ${call.denied === null ? "" : "failed"}">
    <button type="button" class="call-head" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>
      <span class="call-number">${count(call.call + 1)}</span>
      <span class="call-gist">${gist(call, imagesOf(run, call).length)}</span>
      <span class="call-state">${stateOf(call, run)}</span>
    </button>
    ${
      isOpen &&
      html`<div class="call-body">
      ${call.denied !== null && html`<p>${call.denied}</p>`}
      <p class="label">${label}</p>
      <${LongText} text=${whole(run.calls.get(call.call)?.prompt ?? "")} class="output" label=${label} />
      <${Images} images=${imagesOf(run, call)} />
    </div>`
    }
  </li>`;
}

/** @param {RunView} run @param {EgressCall} call */
function imagesOf(run, { call }) {
  return run.calls.get(call)?.images ?? [];
}

/** @param {{images: import("./types/run.js").CallView["images"]}} props */
function Images({ images }) {
  if (images.length === 0) return null;
  return html`<p class="label">${plural(images.length, "image")} beside it</p>
    <ul class="egress-images">${images.map(
      (image) => html`<li>${imageName(image)}: ${imageFacts(image)}, SHA-256 <code>${image.sha256}</code>
        ${image.sent_sha256 !== image.sha256 && html`, scaled down to <code>${image.sent_sha256}</code>`}</li>`,
    )}</ul>`;
}

/** @param {EgressCall} call @param {number} images */
function gist({ kind, to, model: requested, chars, context_chars: ofContext }, images) {
  const who = { root: "root model", sub: "sub-call", compaction: "summary of the conversation" }[kind];
  const { model } = readDestination(to); // a log before 2026-11-28 names the origin alone
  const destination = model === null && requested !== null ? `${to}, ${requested}` : to;
  return `${who} to ${destination}: ${plural(chars, "character")}${imageCount(images)}, ${count(ofContext)} of the context`;
}
