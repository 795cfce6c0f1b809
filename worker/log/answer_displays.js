// @ts-check
// Answer displays: the displayed values that belong to an answer.
//
// In: the events of a run, and its answer. Out: the items that the last iteration displayed, and those of earlier ones whose
// title stands in the answer; as Python gives them (server/rlm_server/headless/answer_displays.py).

import { displayedItems } from "../wire/displayed_items.js";

/** @typedef {import("../wire/displayed_items.js").DisplayedItem} DisplayedItem */
/** @typedef {import("../wire/protocol.js").Event} Event */

const MAX_ITEMS = 20;
const LEAST_TITLE = 3;
const TITLED = /"title": ?"[^"]/;

/**
 * @param {readonly Event[]} events
 * @param {string} answer
 * @returns {DisplayedItem[]}
 */
export function answerDisplays(events, answer) {
  let last = 0;
  /** @type {{iteration: number, shown: string}[]} */
  const blocks = [];
  for (const event of events) {
    if (event.path.length > 0) continue;
    if (event.type === "iteration_started") last = event.iteration;
    if (event.type === "block_finished" && event.observation.shown)
      blocks.push({ iteration: event.iteration, shown: event.observation.shown });
  }
  const isMeant = (/** @type {number} */ iteration, /** @type {string} */ title) =>
    iteration === last || (title.length >= LEAST_TITLE && answer.includes(title));
  return blocks
    .flatMap(({ iteration, shown }) => {
      if (iteration !== last && !mayName(shown, answer)) return [];
      return displayedItems(shown).items.filter(({ title }) => isMeant(iteration, title));
    })
    .slice(0, MAX_ITEMS);
}

/** Whether an answer can name one of a block's values. @param {string} shown @param {string} answer */
function mayName(shown, answer) {
  return answer !== "" && TITLED.test(shown);
}
