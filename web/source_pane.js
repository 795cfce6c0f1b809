// @ts-check
/**
 * The text of a source, scrolled. In: a Blob in UTF-8, a place to show, places to paint. Out: the lines around the place, of
 * which at most `MOST_PARTS` parts exist; more come as it is scrolled, and those far away go.
 */

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "/vendor/preact.mjs";
import { paintedLines } from "./source_paint.js";
import { linesOf, openText } from "./source_text.js";

/** @typedef {import("./source_paint.js").Paint} Paint */
/** @typedef {import("./source_search.js").Place} Place */
/** @typedef {import("./source_text.js").Part} Part */

const MOST_PARTS = 6;
const MOST_HITS = 500;

/**
 * @param {{blob: Blob, label: string, place: Place, paints: readonly Paint[], receivers: readonly string[],
 *   search: import("./source_search.js").Search | null, onScrolled: (byte: number) => void}} props
 *   a new `place` is scrolled to
 */
export function SourcePane({ blob, label, place, paints, receivers, search, onScrolled }) {
  const text = useMemo(() => openText(blob), [blob]);
  const [parts, setParts] = useState(/** @type {Part[]} */ ([]));
  const latest = useRef(parts); // of which a drawing may not know yet
  const show = (/** @type {Part[]} */ next) => {
    latest.current = next;
    setParts(next);
  };
  const [fault, setFault] = useState("");
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const isBusy = useRef(false);
  const anchor = useRef(/** @type {{at: number, top: number} | null} */ (null));
  const shown = useRef(/** @type {Place | null} */ (null));

  useEffect(() => {
    let isCurrent = true;
    const middle = text.partOf(place.byteStart);
    const wanted = [middle - 1, middle, middle + 1, middle + 2].filter((at) => at >= 0 && at < text.parts);
    Promise.all(wanted.map(text.part)).then(
      (read) => {
        if (!isCurrent) return;
        shown.current = null;
        show(read);
      },
      (/** @type {Error} */ error) => isCurrent && setFault(`It cannot be read any more: ${error.message}`),
    );
    return () => void (isCurrent = false);
  }, [text, place]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || parts.length === 0) return;
    if (shown.current !== place) {
      shown.current = place;
      centre(element, place, parts);
    } else if (anchor.current !== null) {
      const kept = element.querySelector(`[data-part="${anchor.current.at}"]`);
      if (kept) element.scrollTop += kept.getBoundingClientRect().top - anchor.current.top;
    }
    anchor.current = null;
  }, [parts]);

  const extend = async (/** @type {1 | -1} */ step) => {
    const before = latest.current;
    const stays = Number((step === 1 ? before.at(-1) : before[0])?.at);
    const next = stays + step;
    if (isBusy.current || !(next >= 0 && next < text.parts)) return;
    isBusy.current = true;
    try {
      const part = await text.part(next);
      if (latest.current !== before || shown.current !== place) return; // another place was jumped to
      const element = box.current?.querySelector(`[data-part="${stays}"]`);
      if (element) anchor.current = { at: stays, top: element.getBoundingClientRect().top };
      show(step === 1 ? [...before, part].slice(-MOST_PARTS) : [part, ...before].slice(0, MOST_PARTS));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      setFault(`It cannot be read any more: ${error.message}`);
    } finally {
      isBusy.current = false;
    }
  };

  const scroll = () => {
    const element = box.current;
    if (element === null) return;
    const { scrollTop, clientHeight, scrollHeight } = element;
    if (scrollHeight - scrollTop - clientHeight < clientHeight) void extend(1);
    else if (scrollTop < clientHeight) void extend(-1);
    const seen = seenByte(element, parts);
    if (seen !== null) onScrolled(seen);
  };

  if (fault !== "") return html`<p class="muted" role="status">${fault}</p>`;
  if (blob.size === 0) return html`<p class="muted">It is empty.</p>`;
  const target = { ...place, kind: /** @type {const} */ ("target"), to: 0, calls: "" };
  return html`<div class="source-text" tabindex="0" role="region" aria-label=${label} ref=${box} onScroll=${scroll}>
    ${parts.map((part) => html`<${PartView} key=${part.at} part=${part} blob=${blob} paints=${paints} receivers=${receivers} target=${target.byteEnd > target.byteStart ? target : null} search=${search} />`)}
  </div>`;
}

/** @param {{part: Part, blob: Blob, paints: readonly Paint[], receivers: readonly string[], target: Paint | null, search: import("./source_search.js").Search | null}} props */
function PartView({ part, blob, paints, receivers, target, search }) {
  const [first, setFirst] = useState(/** @type {number | null} */ (null));
  const [hits, setHits] = useState(/** @type {Paint[]} */ ([]));
  useEffect(() => {
    const stop = new AbortController();
    linesOf(blob)
      .numberAt(part.from, stop.signal)
      .then(
        (number) => !stop.signal.aborted && setFirst(number),
        () => {}, // closed, or the file is gone: its lines have no numbers
      );
    return () => stop.abort();
  }, [blob, part.from]);
  useEffect(() => {
    let isCurrent = true;
    if (search === null) setHits([]);
    else
      void search.between(part.from, part.to, MOST_HITS).then((found) => {
        if (isCurrent) setHits(found.map((hit) => ({ ...hit, kind: "hit", to: 0, calls: "" })));
      });
    return () => void (isCurrent = false);
  }, [search, part.from]);
  const lines = useMemo(
    () => paintedLines(part, [...paints, ...hits, ...(target === null ? [] : [target])]),
    [part, paints, hits, target?.byteStart, target?.byteEnd],
  );
  return html`<ol class=${first === null ? "" : "is-numbered"} data-part=${String(part.at)} start=${first ?? 1}>${lines.map((pieces) => html`<li>${pieces.map(({ text, paints: over }) => pieceView(text, over, receivers))}</li>`)}</ol>`;
}

/** @param {string} text @param {readonly Paint[]} over @param {readonly string[]} receivers */
function pieceView(text, over, receivers) {
  if (over.length === 0) return text;
  const sent = over.filter(({ kind }) => kind === "sent");
  const title = sent.map(({ to, calls }) => `left for ${receivers[to]} in ${calls}`).join("; ");
  const kinds = [...new Set(over.map(({ kind, to }) => (kind === "sent" ? `sent sent-${to % 4}` : kind)))];
  return html`<mark class=${kinds.join(" ")} title=${title || undefined}>${text}</mark>`;
}

/** The first byte in sight, by part. @param {HTMLElement} element @param {readonly Part[]} parts */
function seenByte(element, parts) {
  const top = element.getBoundingClientRect().top;
  for (const part of parts) {
    const rect = element.querySelector(`[data-part="${part.at}"]`)?.getBoundingClientRect();
    if (rect === undefined || rect.bottom <= top) continue;
    const share = Math.max(0, top - rect.top) / Math.max(1, rect.height);
    return Math.round(part.from + share * (part.to - part.from));
  }
  return null;
}

/** Scroll so that the place is in the middle; one without a length at the top. @param {HTMLElement} box @param {Place} place @param {readonly Part[]} parts */
function centre(box, { byteStart }, parts) {
  const mark = box.querySelector("mark.target");
  const top = box.getBoundingClientRect().top;
  if (mark !== null) {
    box.scrollTop += mark.getBoundingClientRect().top - top - box.clientHeight / 2;
    return;
  }
  const part = parts.find(({ to }) => byteStart < to) ?? parts.at(-1);
  const rect = part && box.querySelector(`[data-part="${part.at}"]`)?.getBoundingClientRect();
  if (!part || !rect) return;
  const share = Math.max(0, byteStart - part.from) / Math.max(1, part.to - part.from);
  box.scrollTop += rect.top + share * rect.height - top;
}
