// @ts-check
/**
 * Given files: the files of a recorded run, given beside its log, so that its quotes can be looked for and opened. In: a
 * `RunView` that was read from a log. Out: its context and its evidence, changed in place. Nothing is sent, and no model is
 * asked; a file that is not the run's is named with its size.
 */

import { quotations } from "/rlm/log/answer_quotes.js";
import { atOnce, checksOf, eventsIn } from "/rlm/log/number_check.js";
import { matchedFiles } from "/rlm/log/run_files.js";
import { checkEvidence } from "/rlm/rlm.js";
import { html, useState } from "/vendor/preact.mjs";
import { ASSETS } from "./address.js";
import { takeChosen } from "./fields.js";
import { plural } from "./format.js";
import { changed, state } from "./state.js";

/** @typedef {import("./types/run.js").RunView} RunView */

const LOOKING = "Looking for the quotes …";

/** @param {{run: RunView}} props */
export function GivenFiles({ run }) {
  const [said, say] = useState(/** @type {string[]} */ ([]));
  const [isOver, setOver] = useState(false);
  const quotes = quotesOf(run);
  if (run.recorded === null || run.result === null) return null;
  const purpose =
    quotes.length > 0
      ? `To look for ${plural(quotes.length, "quote")} in them, and to open the places`
      : "To look at them, and at what left of them";
  const take = async (/** @type {File[]} */ files) => {
    if (files.length === 0) return;
    say([LOOKING]);
    say(await given(run, files).catch((/** @type {Error} */ error) => [`The files cannot be used: ${error.message}`]));
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    void take([...(event.dataTransfer?.files ?? [])]);
  };
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(true);
  };
  return html`<section class="given-files ${isOver ? "is-over" : ""}" id="given-files" aria-label="Files of this run"
    onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <label class="file-button small">Give the run’s files
      <input id="given-file" type="file" multiple class="visually-hidden"
        onChange=${(/** @type {Event} */ event) => void take([...takeChosen(event)])} /></label>
    <span class="muted">${purpose}: choose them, or drop them here. They stay in this tab.</span>
    <div role="status" id="given-said">${said.map((text) => html`<p>${text}</p>`)}</div>
  </section>`;
}

/** The quotes of the log, or the quotations in an answer that has none. @param {RunView} run */
function quotesOf({ result }) {
  if (result === null) return [];
  if (result.evidence.length > 0) return result.evidence.map(({ quote, source }) => ({ quote, source }));
  return quotations(result.answer).map((quote) => ({ quote, source: null }));
}

/**
 * Take the files that are the run's, and look for its quotes in them when they are all there.
 * @param {RunView} run
 * @param {File[]} files
 * @returns {Promise<string[]>} outcome in sentences
 */
async function given(run, files) {
  const { recorded, result } = run;
  const started = recorded?.events[0];
  if (result === null || recorded === null || started?.type !== "run_started") return [];
  const earlier = Array.isArray(run.context) ? run.context : [];
  const names = new Set(files.map(({ name }) => name));
  const all = [...earlier.filter((/** @type {File} */ { name }) => !names.has(name)), ...files];
  const { taken, wrong, missing } = await matchedFiles(started.contexts, all);
  if (taken.length === 0) return wrong;
  run.context = taken;
  changed();
  if (missing.length > 0)
    return [...wrong, `Still to be given: ${missing.join(", ")}. Quotes of the others can be opened.`];
  if (quotesOf(run).length === 0) return [...wrong, `${plural(taken.length, "file")} can be opened.`];
  const evidence = await checkEvidence(quotesOf(run), { context: taken, assets: ASSETS });
  const checks = atOnce(checksOf({ answer: result.answer, evidence }, () => eventsIn(recorded.log)));
  Object.assign(result, { evidence, checks });
  if (state.run === run) changed();
  const there = evidence.filter(({ status }) => status !== "missing").length;
  return [...wrong, `${there} of ${plural(evidence.length, "quote")} found in ${plural(taken.length, "file")}.`];
}
