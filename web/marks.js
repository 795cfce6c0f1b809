// @ts-check
/**
 * Marks of words in the iterations that are open. In: the words, and the match that is shown. Out: ranges that the browser
 * paints over the text as it stands, so that no element is added to it. Browsers without such highlights show none.
 */

const MOST = 2_000;
const PARTS = ".iteration-body > .prose, .iteration-body .prose, .iteration-body pre";

/**
 * @param {string} words
 * @param {{iteration: number, within: number} | null} current
 * @returns {Range | null} of the current match, where it is drawn
 */
export function mark(words, current) {
  const highlights = CSS.highlights;
  const timeline = document.getElementById("timeline");
  if (words === "" || timeline === null) {
    highlights?.delete("found");
    highlights?.delete("found-now");
    return null;
  }
  const own = current === null ? null : document.getElementById(`iteration-${current.iteration}`);
  const ranges = rangesIn(timeline, words, MOST);
  const inOwn = own === null ? [] : rangesIn(own, words, MOST);
  const now = inOwn[current?.within ?? 0] ?? null;
  if (highlights) {
    highlights.set("found", new Highlight(...ranges));
    highlights.set("found-now", new Highlight(...(now === null ? [] : [now])));
  }
  return now;
}

/**
 * @param {Element} element
 * @param {string} words
 * @param {number} most
 */
function rangesIn(element, words, most) {
  /** @type {Range[]} */
  const ranges = [];
  for (const part of element.querySelectorAll(PARTS)) {
    if (part.querySelector("pre, .prose") !== null) continue; // its parts are looked at on their own
    for (const range of rangesOf(part, words.toLowerCase())) {
      if (ranges.length === most) return ranges;
      ranges.push(range);
    }
  }
  return ranges;
}

/** @param {Element} element @param {string} wanted */
function rangesOf(element, wanted) {
  const nodes = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    nodes.push({ node, at: text.length });
    text += node.data;
  }
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return []; // letters whose lower case is longer: places would be off
  const ranges = [];
  for (let at = lower.indexOf(wanted); at !== -1; at = lower.indexOf(wanted, at + wanted.length)) {
    const range = document.createRange();
    range.setStart(...pointAt(nodes, at));
    range.setEnd(...pointAt(nodes, at + wanted.length - 1, 1));
    ranges.push(range);
  }
  return ranges;
}

/**
 * @param {Array<{node: Text, at: number}>} nodes
 * @param {number} at
 * @param {number} [after]
 * @returns {[Text, number]}
 */
function pointAt(nodes, at, after = 0) {
  const found = /** @type {{node: Text, at: number}} */ (nodes.findLast((one) => one.at <= at));
  return [found.node, at - found.at + after];
}
