// @ts-check
/**
 * Python as coloured nodes. In: code that a model wrote. Out: a `DocumentFragment` of text and `span`s, nothing else.
 */

import highlighter from "/vendor/highlight.js";
import python from "/vendor/highlight-python.js";
import DOMPurify from "/vendor/purify.js";

/** Above this, code is shown without colours. */
const MOST_COLOURED_CHARS = 20_000;

highlighter.registerLanguage("python", python);

/** @param {string} code @returns {DocumentFragment} */
export function pythonNodes(code) {
  if (code.length > MOST_COLOURED_CHARS) return plainNodes(code);
  const { value } = highlighter.highlight(code, { language: "python", ignoreIllegals: true });
  return DOMPurify.sanitize(value, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true });
}

/** @param {string} text */
function plainNodes(text) {
  const nodes = document.createDocumentFragment();
  nodes.append(text);
  return nodes;
}
