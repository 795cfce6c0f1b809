// @ts-check
/**
 * A plot whose points are there. In: the points, checked; as the child, the picture of the same plot. Out: the chart, drawn by
 * uPlot: the values at the pointer, or at the arrow keys, and a stretch that is enlarged by dragging. The picture stands until
 * the library is there, and where it cannot be loaded.
 */

import { html, useEffect, useMemo, useRef, useState } from "/vendor/preact.mjs";

/** @typedef {import("/rlm/wire/displayed_items.js").Chart} Chart */
/** @typedef {typeof import("uplot")} Library */
/** @typedef {import("uplot")} Plot */

const HEIGHT = 320;
const LEAST_WIDTH = 240;
const COLOURS = ["#1b7f5f", "#b3541e", "#4a5fc1", "#a13d7c", "#7a7a1f", "#1f7a8c", "#8c3b3b", "#5b5b5b"];
const GRID = "#8884";
/** Steps between positions that have names. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const OWN = import.meta.url;

/** @param {{chart: Chart, title: string, children?: unknown}} props */
export function ChartView({ chart, title, children }) {
  const library = useLibrary();
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {Plot | null} */ (null));
  const [isPart, setIsPart] = useState(false);
  const data = useMemo(() => columnsOf(chart), [chart]);
  const [across] = data;
  useEffect(() => {
    const place = box.current;
    if (library === null || place === null) return;
    const isWhole = (/** @type {Plot} */ { scales }) =>
      Number(scales.x.min) <= across[0] && Number(scales.x.max) >= across[across.length - 1];
    const drawn = new library(
      optionsOf(chart, place, (each) => setIsPart(!isWhole(each))),
      /** @type {any} */ (data),
      place,
    );
    plot.current = drawn;
    const sized = new ResizeObserver(() => drawn.setSize({ width: widthOf(place), height: HEIGHT }));
    sized.observe(place);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => drawn.redraw(false);
    const themed = new MutationObserver(recolour); // the page's own choice of a theme is an attribute
    themed.observe(document.documentElement, { attributes: true });
    dark.addEventListener("change", recolour);
    return () => {
      dark.removeEventListener("change", recolour);
      themed.disconnect();
      sized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [library, chart]);
  if (library === null) return children;
  const showAll = () => plot.current?.setScale("x", { min: across[0], max: across[across.length - 1] });
  const step = (/** @type {KeyboardEvent} */ event) => {
    if (!(event.key in KEYS) || plot.current === null) return;
    event.preventDefault();
    moveCursor(plot.current, across, KEYS[event.key]);
  };
  return html`<div class="chart" ref=${box} tabindex="0" role="group" onKeyDown=${step}
      aria-label="${title || "Chart"}: the arrow keys show the values"></div>
    <p class="displayed-actions muted">${
      isPart
        ? html`<button type="button" class="quiet small" onClick=${showAll}>Show the whole chart</button>`
        : "Drag across the chart to enlarge a part of it."
    }</p>`;
}

/** @type {Readonly<Record<string, (at: number, last: number) => number>>} */
const KEYS = {
  ArrowLeft: (at) => Math.max(0, at - 1),
  ArrowRight: (at, last) => Math.min(last, at + 1),
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * @param {Plot} plot
 * @param {number[]} across
 * @param {(at: number, last: number) => number} next
 */
function moveCursor(plot, across, next) {
  const at = next(plot.cursor.idx ?? -1, across.length - 1);
  plot.setCursor({ left: plot.valToPos(across[at], "x"), top: 0 });
}

/** The positions of all lines, and the values of each line there. @param {Chart} chart @returns {[number[], ...(number | null)[][]]} */
function columnsOf({ lines }) {
  const across = [...new Set(lines.flatMap(({ x }) => x))].sort((one, other) => one - other);
  return [
    across,
    ...lines.map(({ x, y }) => {
      const values = new Map(x.map((place, at) => [place, y[at]]));
      return across.map((place) => values.get(place) ?? null);
    }),
  ];
}

/**
 * @param {Chart} chart
 * @param {HTMLElement} place
 * @param {(plot: Plot) => void} onScale
 * @returns {import("uplot").Options}
 */
function optionsOf({ x, labels, lines }, place, onScale) {
  const ink = () => getComputedStyle(place).color;
  const axis = { stroke: ink, grid: { stroke: GRID, width: 1 }, ticks: { stroke: GRID, width: 1 } };
  const nameOf = (/** @type {number} */ at) => labels?.[at] ?? "";
  const shown = (/** @type {number | null} */ value) => (value === null ? "–" : value.toLocaleString("en-US"));
  const named = {
    values: (/** @type {unknown} */ _, /** @type {number[]} */ places) => places.map(nameOf),
    incrs: STEPS,
  };
  return {
    width: widthOf(place),
    height: HEIGHT,
    scales: { x: { time: false } },
    axes: [
      { ...axis, label: x, size: 34, labelSize: 22, ...(labels && named) },
      { ...axis, size: 72 },
    ],
    series: [
      { label: x, value: (_, value) => (labels === null || value === null ? shown(value) : nameOf(value)) },
      ...lines.map(({ name }, at) => ({
        label: name,
        stroke: COLOURS[at],
        width: 1.8,
        spanGaps: true,
        value: (/** @type {unknown} */ _, /** @type {number | null} */ value) => shown(value),
      })),
    ],
    cursor: { y: false, drag: { x: true, y: false, dist: 4 } },
    hooks: { setScale: [(plot, name) => name === "x" && onScale(plot)] },
  };
}

/** @param {HTMLElement} place */
function widthOf(place) {
  return Math.max(LEAST_WIDTH, place.clientWidth);
}

/** @type {Library | null} */
let loaded = null;
/** @type {Promise<Library> | null} */
let loading = null;

/** The library, null until it is there. @returns {Library | null} */
function useLibrary() {
  const [library, setLibrary] = useState(() => ({ is: loaded }));
  useEffect(() => {
    if (library.is === null) load().then((is) => setLibrary({ is }), failed);
  }, []);
  return library.is;
}

function load() {
  const address = new URL("../vendor/uplot.js", OWN).href;
  loading ??= import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ address).then(
    (module) => (loaded = /** @type {Library} */ (module.default)),
  );
  return loading;
}

/** The next plot tries again; this one stays a picture. */
function failed() {
  loading = null;
}
