// @ts-check
/**
 * Source dialog: a text, a document or a table of a context, over the page. In: a source that was opened, at a place. Out:
 * its text, pages or tables, with a search in it, and over it which parts left for whom. Only what is shown is read.
 */

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "/vendor/preact.mjs";
import { bytes, count, plural } from "./format.js";
import { openReading } from "./source_reading.js";
import { SourcePage } from "./source_page.js";
import { sentPaints } from "./source_paint.js";
import { SourcePane } from "./source_pane.js";
import { openSearch } from "./source_search.js";
import { SourceTables } from "./source_tables.js";
import { linesOf } from "./source_text.js";
import { closeSource, openedSource, sourcesOf } from "./sources.js";

/** @typedef {import("./sources.js").Opened} Opened */
/** @typedef {import("./sources.js").At} At */
/** @typedef {import("./source_search.js").Place} Place */
/** @typedef {import("./source_search.js").Hit} Hit */
/** @typedef {import("./source_reading.js").Reading} Reading */
/** @typedef {import("./source_search.js").Search} Search */
/** @typedef {"text" | "pages" | "tables" | "picture"} View */

const TOP = { byteStart: 0, byteEnd: 0 };
const STEPS = 1_000;
const CELLS = 120;
const REDRAW_MS = 100;
/** @type {Readonly<Record<View, string>>} */
const VIEW_NAMES = { text: "Text", pages: "Pages", tables: "Tables", picture: "Picture" };

export function SourceDialog() {
  const opened = openedSource();
  return opened && html`<${Dialog} key=${opened} opened=${opened} />`;
}

/** @param {{opened: Opened}} props */
function Dialog({ opened }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const sources = useMemo(() => sourcesOf(opened.context), [opened]);
  const [name, choose] = useState(sources.has(opened.name) ? opened.name : ([...sources.keys()][0] ?? ""));
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") event.stopPropagation(); // it closes this, and stops no run
    if (event.key !== "f" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    document.getElementById("source-search")?.focus();
  };
  const file = sources.get(name);
  return html`<dialog class="source" id="source" ref=${dialog} aria-labelledby="source-title" onClose=${closeSource} onKeyDown=${onKey}>
    <header>
      <h2 id="source-title">${name || "No source"}</h2>
      <span class="muted">${file && bytes(file.size)}</span>
      ${sources.size > 1 && html`<${Chooser} names=${[...sources.keys()]} name=${name} onChoose=${choose} />`}
      <button type="button" class="small" id="source-close" onClick=${() => dialog.current?.close()}>Close</button>
    </header>
    ${
      file === undefined
        ? html`<p class="muted">The source is not here: give the files of the run to see it.</p>`
        : html`<${Source} key=${name} name=${name} file=${file} at=${name === opened.name ? opened.at : null} run=${opened.run} />`
    }
  </dialog>`;
}

/** @param {{names: string[], name: string, onChoose: (name: string) => void}} props */
function Chooser({ names, name, onChoose }) {
  const pick = (/** @type {Event} */ event) => onChoose(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`<select id="source-name" class="small" aria-label="Source" value=${name} onChange=${pick}>
    ${names.map((each) => html`<option value=${each}>${each}</option>`)}
  </select>`;
}

/** @param {{name: string, file: Blob, at: At, run: Opened["run"]}} props */
function Source({ name, file, at, run }) {
  const [reading, setReading] = useState(/** @type {Reading | string} */ ("Looking at it …"));
  useEffect(() => {
    const stop = new AbortController();
    openReading(name, file, stop.signal).then(
      (read) => !stop.signal.aborted && setReading(() => read),
      (/** @type {Error} */ error) => !stop.signal.aborted && setReading(`It cannot be shown: ${error.message}`),
    );
    return () => stop.abort();
  }, [file]);
  if (typeof reading === "string") return html`<p class="muted" role="status">${reading}</p>`;
  return html`<${Read} name=${name} file=${file} reading=${reading} at=${at} run=${run} />`;
}

/** @param {{name: string, file: Blob, reading: Reading, at: At, run: Opened["run"]}} props */
function Read({ name, file, reading, at, run }) {
  const { text, views, pages } = reading;
  const [view, setView] = useState(at !== null && "sheet" in at ? "tables" : (views[0] ?? "text"));
  const [place, setPlace] = useState(/** @type {Place} */ (at !== null && "byteStart" in at ? at : TOP));
  const [page, setPage] = useState({
    number: at !== null && "page" in at ? at.page : 1,
    quote: (at !== null && "quote" in at && at.quote) || "",
  });
  const [said, say] = useState("");
  const [seen, setSeen] = useState(0);
  const byteNow = useRef(0);
  const spans = run?.egress.spans.get(name);
  const { receivers, paints } = useMemo(
    () =>
      reading.isFile && run !== null && spans !== undefined
        ? sentPaints(spans, (call) => receiverOf(run, call))
        : { receivers: [], paints: [] },
    [reading, spans, spans?.length],
  );
  const jump = (/** @type {Place} */ to) => {
    byteNow.current = to.byteStart;
    setSeen(to.byteStart);
    setPlace({ ...to });
  };
  const toLine = async (/** @type {number} */ number) => {
    if (text === null) return;
    say(`Looking for line ${count(number)} …`);
    const found = await linesOf(text).placeOf(number);
    const total = linesOf(text).total();
    say(found ? `Line ${count(number)}` : `It has ${plural(total ?? 0, "line")}.`);
    if (found) jump(found);
  };
  const toPage = (/** @type {number} */ number, quote = "") => {
    const last = Math.max(1, pages);
    if (number > last) say(`It has ${plural(pages, "page")}.`);
    setPage({ number: Math.min(last, Math.max(1, number)), quote });
  };
  useEffect(() => {
    if (at === null) return;
    if ("line" in at) void toLine(at.line);
    else if ("byteStart" in at) moved(at.byteStart);
    else if ("start" in at) void reading.placeOfChars(at.start, at.end).then(jump);
    else if ("page" in at) toPage(at.page, at.quote);
  }, []);
  const found = useSearch(text, byteNow, (hit) => {
    if (hit === null) return;
    jump(hit);
    if (view === "pages") void reading.pageAt(hit).then(({ number, quote }) => toPage(number, quote));
  });
  const moved = (/** @type {number} */ byte) => {
    byteNow.current = byte;
    setSeen(byte);
  };
  const show = (/** @type {View} */ next) => {
    setView(next);
    if (next === "text" && view === "pages")
      void reading.placeOfPage(page.number).then((start) => start && jump(start));
  };
  return html`<div class="source-tools">
      ${
        views.length > 1 &&
        html`<div class="source-views" role="group" aria-label="View">${views.map(
          (each) =>
            html`<button type="button" class="small" aria-pressed=${String(each === view)} onClick=${() => show(each)}>${VIEW_NAMES[each]}</button>`,
        )}</div>`
      }
      ${(view === "text" || view === "pages") && text !== null && html`<${SearchBox} found=${found} />`}
      ${view === "text" && html`<${GoTo} noun="Line" onGo=${(/** @type {number} */ number) => void toLine(number)} />`}
      ${view === "pages" && html`<${GoTo} noun="Page" onGo=${toPage} />`}
      <span class="muted" role="status" id="source-said">${said || reading.note}</span>
    </div>
    ${
      view === "text" &&
      text !== null &&
      html`<${Position} size=${text.size} seen=${seen} paints=${paints} onJump=${jump} />
      <${Legend} receivers=${receivers} isDocument=${!reading.isFile && spansOf(run) > 0} />
      <${SourcePane} blob=${text} label="Text of ${name}" place=${place} paints=${paints} receivers=${receivers} search=${found.search} onScrolled=${moved} />`
    }
    ${view === "pages" && html`<${SourcePage} file=${file} page=${page.number} pages=${pages} quote=${page.quote} onPage=${toPage} />`}
    ${view === "tables" && html`<${SourceTables} name=${name} file=${file} sheet=${at !== null && "sheet" in at ? at.sheet : null} />`}
    ${view === "picture" && html`<${Picture} file=${file} name=${name} />`}`;
}

/** @param {Opened["run"]} run */
function spansOf(run) {
  return run?.egress.calls.length ?? 0;
}

/** @param {NonNullable<Opened["run"]>} run @param {number} call */
function receiverOf(run, call) {
  return run.egress.calls.find((each) => each.call === call)?.to ?? "a model";
}

/**
 * The search of a text: the words, its hits as they are counted, and the hit that is shown.
 *
 * @param {Blob | null} text
 * @param {{current: number}} byteNow
 * @param {(hit: Hit | null) => void} onHit
 */
function useSearch(text, byteNow, onHit) {
  const [sought, seek] = useState("");
  const [search, setSearch] = useState(/** @type {Search | null} */ (null));
  const [hit, setHit] = useState(/** @type {Hit | null} */ (null));
  const [, redraw] = useState(0);
  useEffect(() => {
    setHit(null);
    if (text === null || sought === "") return setSearch(null);
    const opened = openSearch(text, sought);
    const stop = new AbortController();
    setSearch(opened);
    let [isShown, drawn] = [false, 0];
    const progress = () => {
      if (!isShown && opened.total() > 0) {
        isShown = true;
        void opened.from(byteNow.current).then((first) => {
          if (stop.signal.aborted) return;
          setHit(first);
          onHit(first);
        });
      }
      if (performance.now() - drawn < REDRAW_MS && !opened.isDone()) return;
      drawn = performance.now();
      redraw(drawn);
    };
    opened.run(byteNow.current, stop.signal, progress).catch(() => {}); // the pane says that the file is gone
    return () => stop.abort();
  }, [text, sought]);
  const go = async (/** @type {1 | -1} */ step) => {
    if (search === null || hit === null) return;
    const next = await search.next(hit, step);
    setHit(next);
    onHit(next);
  };
  return { sought, seek, search, hit, go };
}

/** @param {{found: ReturnType<typeof useSearch>}} props */
function SearchBox({ found }) {
  const { sought, seek, search, hit, go } = found;
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    void go(event.shiftKey ? -1 : 1);
  };
  const isEmpty = hit === null;
  return html`<div class="source-search" role="search">
    <input id="source-search" type="search" aria-label="Find in it" placeholder="Find in it" value=${sought} spellcheck="false"
      onInput=${(/** @type {Event} */ event) => seek(/** @type {HTMLInputElement} */ (event.target).value)} onKeyDown=${onKey} />
    <button type="button" class="small" aria-disabled=${String(isEmpty)} aria-label="Previous hit" onClick=${() => void go(-1)}>↑</button>
    <button type="button" class="small" aria-disabled=${String(isEmpty)} aria-label="Next hit" onClick=${() => void go(1)}>↓</button>
    <span class="muted" role="status" id="source-hits">${search !== null && hitsText(search, hit)}</span>
  </div>`;
}

/** @param {Search} search @param {Hit | null} hit */
function hitsText(search, hit) {
  const total = search.total();
  if (!search.isDone()) return `${count(total)} so far, ${Math.floor(100 * search.share())} % searched`;
  if (total === 0) return "Not in it";
  const number = hit === null ? null : search.numberOf(hit);
  return number === null ? plural(total, "hit") : `${count(number)} of ${count(total)}`;
}

/** @param {{noun: string, onGo: (number: number) => void}} props */
function GoTo({ noun, onGo }) {
  const [typed, type] = useState("");
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    const number = Number(typed.replace(/[,\s]/g, ""));
    if (Number.isSafeInteger(number) && number > 0) onGo(number);
  };
  return html`<form class="source-go" onSubmit=${go}><label>${noun}
    <input id="source-go" type="text" inputmode="numeric" size="8" value=${typed} onInput=${(/** @type {Event} */ event) => type(/** @type {HTMLInputElement} */ (event.target).value)} /></label>
    <button type="submit" class="small">Go</button></form>`;
}

/** Where in the source the text is, and where something left. @param {{size: number, seen: number, paints: readonly import("./source_paint.js").Paint[], onJump: (place: Place) => void}} props */
function Position({ size, seen, paints, onJump }) {
  const share = size === 0 ? 0 : seen / size;
  const cells = useMemo(() => cellsOf(paints, size), [paints, size]);
  const move = (/** @type {Event} */ event) => {
    const byteStart = Math.floor(
      (Number(/** @type {HTMLInputElement} */ (event.target).value) / STEPS) * Math.max(0, size - 1),
    );
    onJump({ byteStart, byteEnd: byteStart });
  };
  return html`<div class="source-position">
    <input type="range" id="source-position" min="0" max=${STEPS} value=${Math.round(share * STEPS)} aria-label="Position in it"
      aria-valuetext="${(100 * share).toFixed(0)} % of ${bytes(size)}" onInput=${move} />
    <div class="source-sent" aria-hidden="true">${cells.map((isSent) => html`<i class=${isSent ? "is-sent" : ""}></i>`)}</div>
  </div>`;
}

/** @param {readonly import("./source_paint.js").Paint[]} paints @param {number} size */
function cellsOf(paints, size) {
  if (paints.length === 0) return [];
  const cells = Array.from({ length: CELLS }, () => false);
  const cellAt = (/** @type {number} */ byte) => Math.min(CELLS - 1, Math.floor((byte / size) * CELLS));
  for (const { byteStart, byteEnd } of paints) cells.fill(true, cellAt(byteStart), cellAt(byteEnd - 1) + 1);
  return cells;
}

/** @param {{receivers: readonly string[], isDocument: boolean}} props */
function Legend({ receivers, isDocument }) {
  if (isDocument)
    return html`<p class="muted source-legend">Which parts of a document left is not marked here: “What left this tab” has each call.</p>`;
  if (receivers.length === 0) return null;
  return html`<ul class="source-legend" aria-label="Marked: what left, and for whom">
    ${receivers.map((receiver, at) => html`<li><mark class="sent sent-${at % 4}">left</mark> for ${receiver}</li>`)}
  </ul>`;
}

/** @param {{file: Blob, name: string}} props */
function Picture({ file, name }) {
  const address = useMemo(() => URL.createObjectURL(file), [file]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return html`<div class="source-page" tabindex="0" role="group" aria-label=${name}><img src=${address} alt=${name} /></div>`;
}
