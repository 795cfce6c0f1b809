// @ts-check
/**
 * The context as a bar for each of its texts, the parts that left marked on it. In: a `RunView`. Out: at most
 * `MOST_BARS` bars of `CELLS` cells; a cell with something in it opens the text that left, with the calls that carried it.
 * Left and right move between such cells.
 */

import { html, useEffect, useMemo, useRef, useState } from "/vendor/preact.mjs";
import { count, plural } from "./format.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";
import { openSource, sourcesOf } from "./sources.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("/rlm/rlm.js").Span & {call: number}} Carried a span, and a call that it left with */
/** @typedef {import("/rlm/rlm.js").Span & {calls: Set<number>}} Sent */

const CELLS = 60;
const MOST_BARS = 20;
const MOST_SPANS = 20;
const MOST_CALLS = 12;
const READ_BYTES = 64 << 10;
const LEVELS = 4;

/** @param {{run: RunView}} props */
export function EgressMap({ run }) {
  const { spans } = run.egress;
  const sources = useMemo(() => sourcesOf(run.context), [run]);
  const names = [...spans.keys()];
  if (names.length === 0) return html`<p class="muted">No piece of the context left.</p>`;
  return html`${names.slice(0, MOST_BARS).map((name, at) => {
    const carried = spans.get(name) ?? [];
    return html`<${Bar} key=${name} id="bar-${at}" name=${name} run=${run} source=${sources.get(name) ?? null} carried=${carried} size=${carried.length} />`;
  })}
  ${names.length > MOST_BARS && html`<p class="muted">and ${plural(names.length - MOST_BARS, "more text")} of which something left</p>`}`;
}

/** @param {{id: string, name: string, run: RunView, source: Blob | null, carried: Carried[], size: number}} props `size` tells that it grew */
function Bar({ id, name, run, source, carried, size }) {
  const [chosen, choose] = useState(/** @type {number | null} */ (null));
  const sent = useMemo(() => united(carried), [carried, size]);
  const { length, isBytes, isKnown } = lengthOf(name, source, sent, run.events[0]);
  const cells = useMemo(() => cellsOf(sent, length, isBytes), [sent, length, isBytes]);
  const filled = cells.flatMap((spans, cell) => (spans.length > 0 ? [cell] : []));
  const current = chosen !== null && filled.includes(chosen) ? chosen : (filled[0] ?? 0);
  const row = useRef(/** @type {HTMLElement | null} */ (null));
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const from = Number(/** @type {HTMLElement} */ (event.target).dataset.cell);
    const next = step === undefined ? undefined : filled[filled.indexOf(from) + step];
    if (next === undefined) return;
    event.preventDefault();
    /** @type {HTMLElement | null | undefined} */ (row.current?.querySelector(`[data-cell="${next}"]`))?.focus();
  };
  return html`<div class="egress-part">
    <p class="label" id=${id}>${name}${!isKnown && html` <span class="muted">(the log has no size of it: the bar ends with the last piece)</span>`}</p>
    <div class="egress-bar" role="group" aria-labelledby=${id} ref=${row} onKeyDown=${move}>
      ${cells.map((spans, cell) =>
        spans.length === 0
          ? html`<i></i>`
          : html`<button type="button" class="level-${level(spans, cell, length, isBytes)}" data-cell=${String(cell)}
              tabIndex=${cell === current ? 0 : -1} aria-pressed=${String(cell === chosen)}
              aria-label=${`from character ${count(spans[0]?.start ?? 0)}: ${pieces(spans.length)} sent`}
              onFocus=${() => chosen !== null && choose(cell)}
              onClick=${() => choose(cell === chosen ? null : cell)}></button>`,
      )}
    </div>
    ${chosen !== null && html`<${Pieces} spans=${cells[chosen] ?? []} source=${source} name=${name} run=${run} />`}
  </div>`;
}

/** @param {{spans: Sent[], source: Blob | null, name: string, run: RunView}} props */
function Pieces({ spans, source, name, run }) {
  const open = (/** @type {Sent} */ { byte_start: byteStart, byte_end: byteEnd }) =>
    openSource({ context: run.context, name, at: { byteStart, byteEnd }, run });
  return html`<ul class="egress-pieces">
    ${spans.slice(0, MOST_SPANS).map(
      (span) => html`<li key=${span.byte_start}>
      <p class="label">Characters ${count(span.start)} to ${count(span.end)}, ${callsOf(span)}
        ${source !== null && html` <button type="button" class="quiet small" onClick=${() => open(span)}>Open the source there</button>`}</p>
      <${SpanText} span=${span} source=${source} />
    </li>`,
    )}
    ${spans.length > MOST_SPANS && html`<li class="muted">and ${plural(spans.length - MOST_SPANS, "more piece")}</li>`}
  </ul>`;
}

/** @param {{span: Sent, source: Blob | null}} props */
function SpanText({ span, source }) {
  const [text, setText] = useState("");
  const { byte_start: from, byte_end: to } = span;
  useEffect(() => {
    let isCurrent = true;
    const show = (/** @type {string} */ read) => isCurrent && setText(read);
    if (!source) show("(the text cannot be shown here)");
    else
      source
        .slice(from, Math.min(to, from + READ_BYTES))
        .text()
        .then(show, () => show("(it cannot be read any more)"));
    return () => void (isCurrent = false);
  }, [source, from, to]);
  return html`<${LongText} text=${whole(text)} class="output" label="What left" />`;
}

/** @param {number} number */
function pieces(number) {
  return `${plural(number, "piece")} ${number === 1 ? "was" : "were"}`;
}

/** @param {Sent} span */
function callsOf({ calls }) {
  const numbers = [...calls].sort((one, other) => one - other).map((call) => count(call + 1));
  const shown = numbers.slice(0, MOST_CALLS).join(", ");
  const more = numbers.length > MOST_CALLS ? ` and ${count(numbers.length - MOST_CALLS)} more` : "";
  return `in ${numbers.length === 1 ? "call" : "calls"} ${shown}${more}`;
}

/** The spans in order, those that overlap made one. @param {Carried[]} carried @returns {Sent[]} */
function united(carried) {
  /** @type {Sent[]} */
  const apart = [];
  for (const { call, ...span } of [...carried].sort((one, other) => one.start - other.start)) {
    const last = apart.at(-1);
    if (!last || last.end < span.start) apart.push({ ...span, calls: new Set([call]) });
    else {
      last.calls.add(call);
      if (span.end > last.end) Object.assign(last, { end: span.end, byte_end: span.byte_end });
    }
  }
  return apart;
}

/**
 * How long a text is: by the source, else by the log's description of it, which has the bytes of a file and the characters
 * of a text.
 *
 * @param {string} name
 * @param {Blob | null} source
 * @param {Sent[]} sent
 * @param {import("./types/run.js").RunEvent | undefined} started
 */
function lengthOf(name, source, sent, started) {
  if (source !== null) return { length: source.size, isBytes: true, isKnown: true };
  const contexts = started?.type === "run_started" ? started.contexts : [];
  const { type, size, bytes } = /** @type {{[name: string]: unknown}} */ (
    contexts.find((each) => each.name === name) ?? {}
  );
  if (typeof bytes === "number") return { length: bytes, isBytes: true, isKnown: true };
  if (typeof size === "number" && (type === "file" || type === "bytes"))
    return { length: size, isBytes: true, isKnown: true };
  if (typeof size === "number" && type === "str") return { length: size, isBytes: false, isKnown: true };
  return { length: Math.max(...sent.map((span) => span.byte_end)), isBytes: true, isKnown: false };
}

/** @param {Sent} span @param {boolean} isBytes @returns {[number, number]} */
function endsOf(span, isBytes) {
  return isBytes ? [span.byte_start, span.byte_end] : [span.start, span.end];
}

/** The spans that reach into each cell. @param {Sent[]} sent @param {number} length @param {boolean} isBytes */
function cellsOf(sent, length, isBytes) {
  const cells = Array.from({ length: CELLS }, () => /** @type {Sent[]} */ ([]));
  const cellAt = (/** @type {number} */ at) => Math.min(CELLS - 1, Math.floor((at / length) * CELLS));
  for (const span of sent) {
    const [from, to] = endsOf(span, isBytes);
    for (let cell = cellAt(from); cell <= cellAt(to - 1); cell += 1) cells[cell]?.push(span);
  }
  return cells;
}

/** How much of a cell left, from 1 to `LEVELS`. @param {Sent[]} spans @param {number} cell @param {number} length @param {boolean} isBytes */
function level(spans, cell, length, isBytes) {
  const [from, to] = [(cell * length) / CELLS, ((cell + 1) * length) / CELLS];
  const sent = spans.reduce((sum, span) => {
    const [start, end] = endsOf(span, isBytes);
    return sum + Math.min(to, end) - Math.max(from, start);
  }, 0);
  return Math.min(LEVELS, Math.max(1, Math.ceil((sent / (to - from)) * LEVELS)));
}
