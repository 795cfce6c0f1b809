// @ts-check
/**
 * Markdown of a model as nodes of the page. In: text that nobody vouches for. Out: a `DocumentFragment` that loads
 * nothing and runs nothing: no images, no HTML of its own (its tags are shown as text), links only to http, https and
 * mailto with their target written out. DOMPurify is the second wall: it should find nothing to take away.
 */

import { Marked } from "/vendor/marked.js";
import DOMPurify from "/vendor/purify.js";
import { MATH, showMath } from "./math.js";

/** Above this a text is shown as it is: laying out megabytes of Markdown would freeze the tab. */
export const MOST_MARKDOWN_CHARS = 100_000;

const TAGS =
  "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong sub sup table tbody td th thead tr ul".split(
    " ",
  );
const RULES = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

const marked = new Marked({
  gfm: true,
  extensions: MATH,
  renderer: {
    html: ({ text, block }) => (block ? `<p>${escapeText(text)}</p>` : escapeText(text)),
    image: ({ text }) => `[image: ${escapeText(text)}]`,
    checkbox: ({ checked }) => (checked ? "[x] " : "[ ] "),
  },
});

/** @param {string} text @returns {DocumentFragment} */
export function markdownNodes(text) {
  const nodes = DOMPurify.sanitize(toMarkup(text), { ...RULES, RETURN_DOM_FRAGMENT: true });
  nodes.querySelectorAll("a").forEach(secureLink);
  return showMath(nodes);
}

/** @param {string} text */
function toMarkup(text) {
  try {
    return marked.parse(text, { async: false });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `<pre>${escapeText(text)}</pre>`; // nested so deep that the parser's stack overflows
  }
}

/** A click on a link sends its address away: show the address, and send nothing else along.
 * @param {HTMLAnchorElement} link */
function secureLink(link) {
  const address = link.getAttribute("href");
  if (!address) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.rel = "noopener noreferrer";
  link.referrerPolicy = "no-referrer";
  link.target = "_blank";
  if (link.textContent === address) return;
  const shown = document.createElement("span");
  shown.className = "link-target";
  shown.textContent = ` (${address})`;
  link.after(shown);
}

/** @param {string} text */
function escapeText(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span.innerHTML;
}
