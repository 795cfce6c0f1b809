// @ts-check
/**
 * How a run ended: the answer, final or partial, with the reason; copy and download. In: a finished `RunView`.
 */

import { answerDisplays } from "/rlm/log/answer_displays.js";
import { withEvidence } from "/rlm/log/evidence_lines.js";
import { html, useMemo } from "/vendor/preact.mjs";
import { CopyButton } from "./copy.js";
import { DisplayedItems } from "./displayed.js";
import { ProblemNotice, explainEnding } from "./errors.js";
import { Checks, EvidenceList, withMarks } from "./evidence.js";
import { GivenFiles } from "./given_files.js";
import { downloadTrajectory } from "./log_file.js";
import { LongText } from "./long_text.js";
import { MOST_MARKDOWN_CHARS, markdownNodes } from "./markdown.js";
import { Nodes } from "./nodes.js";
import { withPlaces } from "./place_links.js";
import { whole } from "./printed.js";
import { TakeAlong } from "./take_along.js";
import { sourcesOf } from "./sources.js";
import { UsageTables } from "./usage.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").Remedy} Remedy */

const EMPTY = "The answer is empty.";
const NONE_YET = "There was no partial answer yet.";

/** @param {{run: RunView, onRemedy: (remedy: Remedy) => void}} props */
export function Outcome({ run, onRemedy }) {
  if (run.phase !== "finished") return null;
  const problem = run.problem ?? (run.result && explainEnding(run.result));
  const answer = run.result?.answer || run.partial;
  const isFinal = run.result?.stoppedBy === "final_answer";
  const tone = run.result?.stoppedBy === "cancelled" ? "note" : "error";
  return html`<div class="outcome">
    ${problem && html`<${ProblemNotice} problem=${problem} id="run-problem" tone=${tone} onRemedy=${onRemedy} />`}
    ${
      answer
        ? html`<${Answer} text=${answer} isFinal=${isFinal} evidence=${run.result?.evidence ?? []} run=${run} />`
        : run.result && html`<p class="muted" id="no-answer">${isFinal ? EMPTY : NONE_YET}</p>`
    }
    <${Shown} run=${run} answer=${answer} />
    ${run.result && html`<${Checks} result=${run.result} />`}
    ${run.result && html`<${Value} json=${run.result.valueJson} />`}
    ${run.result && html`<${EvidenceList} evidence=${run.result.evidence} run=${run} />`}
    <${GivenFiles} run=${run} key=${run.startedAt} />
    <p class="outcome-actions">
      ${answer && html`<${CopyButton} id="copy" label="Copy the answer" text=${withEvidence(answer, run.result?.evidence ?? [], run.result?.checks.numbers)} />`}
      ${
        run.events.length > 0 &&
        html`<button type="button" id="download" class="small" onClick=${() => downloadTrajectory(run)}>
        Download the trajectory</button>`
      }
    </p>
    <${TakeAlong} run=${run} />
    ${run.result && html`<${UsageTables} result=${run.result} />`}
  </div>`;
}

/**
 * The answer of the shown run, or of an earlier question.
 *
 * @param {{text: string, isFinal: boolean, of?: string, run?: RunView, evidence?: import("/rlm/rlm.js").RLMEvidence[]}} props
 *   `of` is the earlier question
 */
export function Answer({ text, isFinal, of, run, evidence = [] }) {
  const make = (/** @type {string} */ markdown) => {
    const nodes = withMarks(markdownNodes(markdown), evidence);
    return run ? withPlaces(nodes, run) : nodes;
  };
  const statuses = [...evidence.map(({ status }) => status), ...sourcesOf(run?.context).keys()].join(); // with others the marks are made anew
  const title = isFinal ? "Answer" : "Partial answer";
  const id = of === undefined ? "answer" : undefined;
  const label = of === undefined ? title : `${title} to: ${of.slice(0, 100)}`;
  return html`<section class="answer ${isFinal ? "" : "is-partial"}" id=${id} aria-label=${label}>
    ${of === undefined && html`<h2 id="answer-title">${title}</h2>`}
    ${
      text.length > MOST_MARKDOWN_CHARS
        ? html`<${LongText} text=${whole(text)} class="output" label=${title} />`
        : html`<${Nodes} key=${statuses} tag="div" class="markdown" text=${text} make=${make} />`
    }
  </section>`;
}

/** Displayed values that belong to the answer. @param {{run: RunView, answer: string}} props */
function Shown({ run, answer }) {
  const items = useMemo(() => answerDisplays(run.events, answer), [run, answer]);
  if (items.length === 0) return null;
  return html`<section class="shown" id="shown" aria-label="Shown with the answer"><${DisplayedItems} items=${items} /></section>`;
}

/** The answer's value, where the run has a schema. @param {{json: string | null}} props */
function Value({ json }) {
  if (json === null) return null;
  return html`<section class="evidence" id="value" aria-label="Value">
    <h3>Value <span class="muted">it fits the schema</span></h3>
    <${LongText} text=${whole(json)} class="output" label="Value" />
  </section>`;
}
