// @ts-check
/**
 * Maths in Markdown: `$...$`, `$$...$$`, `\(...\)` and `\[...\]`, as MathML. In: Markdown, and the nodes made of it. Out: an
 * extension of the Markdown parser that marks maths, and the marks replaced. The library is loaded when a text has maths, from
 * this site. Money is no maths: "$5 and $6". Text that is no TeX stays as it was.
 */

/** Stands before the TeX in a `code` element: "i" in a line, "d" on its own. Private to this page. */
const MARK = "\ue000";
const MOST_CHARS = 5_000;
const LIMITS = { throwOnError: true, trust: false, maxSize: [20, 200], maxExpand: 200 };
/** Read by no bundler: the library is a file beside the page, or is not there. */
const OWN = import.meta.url;

/** In a line. A `$` opens before what is no space, and closes after what is no space and before no letter or digit. */
const INLINE =
  /^(?:\$\$((?:(?!\n\s*\n)[^$])+)\$\$|\$(?![\s$])((?:(?!\n\s*\n)[^$\\]|\\[^\n])*(?:[^\s$\\]|\\[^\n]))\$(?![\p{L}\p{N}$])|\\\(((?:(?!\n\s*\n)[\s\S])+?)\\\)|\\\[((?:(?!\n\s*\n)[\s\S])+?)\\\])/u;
const BLOCK = /^ {0,3}(?:\$\$((?:(?!\n\s*\n)[^$])+)\$\$|\\\[((?:(?!\n\s*\n)[\s\S])+?)\\\])[ \t]*(?:\n|$)/;
/** What opens maths -> what closes it. @type {Readonly<Record<string, string>>} */
const CLOSINGS = { $: "$", "\\(": "\\)", "\\[": "\\]" };
const OPENINGS = Object.keys(CLOSINGS);
const OPERATOR = /[\\^_=+*<>/]/;

/** @typedef {{type: string, raw: string, tex: string, isDisplay: boolean}} MathToken */
/** @typedef {{render: (tex: string, element: Element, options: object) => void}} Temml */

/** The extensions for `marked`. */
export const MATH = [
  {
    name: "mathBlock",
    level: /** @type {const} */ ("block"),
    start: blockStart,
    tokenizer: blockToken,
    renderer: rendered,
  },
  { name: "math", level: /** @type {const} */ ("inline"), start: startOf, tokenizer: inlineToken, renderer: rendered },
];

/** A place before which no maths begins. The parser asks at each token, over all that is left. @param {string} source */
function startOf(source) {
  const places = ["$", "\\"].map((mark) => source.indexOf(mark)).filter((at) => at !== -1);
  return places.length === 0 ? undefined : Math.min(...places);
}

/** The line of maths that interrupts the paragraph at the beginning of `source`. @param {string} source */
function blockStart(source) {
  const end = source.search(/\n[ \t]*\n/);
  const paragraph = end === -1 ? source : source.slice(0, end);
  for (const { index } of paragraph.matchAll(/\n(?= {0,3}(?:\$\$|\\\[))/g))
    if (blockToken(paragraph.slice(index + 1))) return index + 1;
  return undefined;
}

/** Whether what opens `text` is closed in it: without that the patterns would look at each character. @param {string} text */
function isClosed(text) {
  const opening = OPENINGS.find((each) => text.startsWith(each));
  return opening !== undefined && text.indexOf(String(CLOSINGS[opening]), opening.length) !== -1;
}

/** @param {string} source @returns {MathToken | undefined} */
function blockToken(source) {
  const text = source.slice(0, MOST_CHARS);
  const found = isClosed(text.trimStart()) ? BLOCK.exec(text) : null;
  const tex = (found?.[1] ?? found?.[2])?.trim();
  return found && tex ? { type: "mathBlock", raw: found[0], tex, isDisplay: true } : undefined;
}

/** @param {string} source @param {{raw: string}[]} before @returns {MathToken | undefined} */
function inlineToken(source, before) {
  const text = source.slice(0, MOST_CHARS);
  const found = isClosed(text) ? INLINE.exec(text) : null;
  if (found === null) return undefined;
  const [raw, both, single, round, square] = found;
  if (single !== undefined && !isMath(single, before.at(-1)?.raw.at(-1))) return undefined;
  const tex = (both ?? single ?? round ?? square ?? "").trim();
  return tex === "" ? undefined : { type: "math", raw, tex, isDisplay: both !== undefined || square !== undefined };
}

/** Whether the text between two dollar signs is TeX. @param {string} text @param {string | undefined} before the character before them */
export function isMath(text, before) {
  if (before !== undefined && /[\p{L}\p{N}$\\]/u.test(before)) return false;
  return /^[\d.,]/.test(text) ? OPERATOR.test(text) && !/[-–*+/] ?$/.test(text) : true;
}

/** @param {object} token */
function rendered(token) {
  const { tex, isDisplay } = /** @type {MathToken} */ (token);
  const escaped = tex.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<code>${MARK}${isDisplay ? "d" : "i"}${escaped}</code>`;
}

/** @type {Temml | null} */
let library = null;
/** @type {Promise<Temml> | null} */
let loading = null;

/** Have maths drawn at once in nodes that are made of `text` from now on. @param {string} text */
export async function prepareMath(text) {
  if (OPENINGS.some((opening) => text.includes(opening))) await load();
}

function load() {
  const address = new URL("../vendor/temml.js", OWN).href;
  loading ??= import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ address).then(
    ({ default: temml }) => {
      library = temml;
      return /** @type {Temml} */ (temml);
    },
  );
  return loading;
}

/**
 * Replace the marks in `nodes` by maths; until the library is there they show their TeX.
 *
 * @param {DocumentFragment} nodes
 */
export function showMath(nodes) {
  for (const code of nodes.querySelectorAll("code")) {
    const text = code.textContent ?? "";
    if (!text.startsWith(MARK)) continue;
    const isDisplay = text[1] === "d";
    const tex = text.slice(2);
    const place = document.createElement("span");
    place.className = isDisplay ? "math is-display" : "math";
    place.textContent = isDisplay ? `$$${tex}$$` : `$${tex}$`;
    code.replaceWith(place);
    if (library !== null) draw(library, tex, place, isDisplay);
    else load().then((temml) => draw(temml, tex, place, isDisplay), failed);
  }
  return nodes;
}

/** The next answer tries again; this one shows TeX. */
function failed() {
  loading = null;
}

/** @param {Temml} temml @param {string} tex @param {HTMLElement} place @param {boolean} isDisplay */
function draw(temml, tex, place, isDisplay) {
  const made = document.createElement("span");
  try {
    temml.render(tex, made, { ...LIMITS, displayMode: isDisplay });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return; // no TeX: it stays as it was
  }
  place.replaceChildren(...made.childNodes);
}
