// @ts-check
/**
 * Facts of a run for its report, and its text as Markdown that is safe to show. In: a run that ended. Out: sentences, and
 * facts with their names.
 */

import { answerDisplays } from "/rlm/log/answer_displays.js";
import { bytes, count, duration, plural } from "./format.js";
import { inWords } from "./usage.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").RLMResult} RLMResult */
/** A run that ended. @typedef {RunView & {result: RLMResult, recorded: NonNullable<RunView["recorded"]>}} EndedRun */

const MOST_NUMBERS = 20;
const MOST_SOURCES = 20;

/** Displayed values that belong to the answer. @param {EndedRun} run */
export function displaysOf({ recorded, result }) {
  return answerDisplays(recorded.events, result.answer);
}

/** Why there is no final answer. @param {RLMResult} result */
export function noAnswer({ stoppedBy, detail }) {
  return `No final answer: ${detail || stoppedBy}`;
}

/** What nothing bears out. @param {RLMResult} result @returns {string[]} sentences */
export function checkLines({ evidence, checks }) {
  const bare =
    evidence.length === 0 ? "it came without a quote of the context" : "none of its quotes is in the context";
  const numbers = [...new Set(checks.numbers.map(({ text }) => text))];
  const more = numbers.length > MOST_NUMBERS ? ` and ${count(numbers.length - MOST_NUMBERS)} more` : "";
  return [
    ...(checks.supported ? [] : [`Unsupported: ${bare}.`]),
    ...(numbers.length === 0
      ? []
      : [`In no output, sub-reply or quote: ${numbers.slice(0, MOST_NUMBERS).join(", ")}${more}`]),
  ];
}

/** Facts of a run, each with its name. @param {EndedRun} run @returns {[name: string, text: string][]} */
export function factsOf(run) {
  const { result, recorded, model } = run;
  const started = recorded.events[0];
  const { contexts, sub_model: sub } = started?.type === "run_started" ? started : { contexts: [], sub_model: null };
  const sources = contexts.slice(0, MOST_SOURCES).map(sourceOf);
  const more = contexts.length > MOST_SOURCES ? `, and ${count(contexts.length - MOST_SOURCES)} more` : "";
  const { egress } = result;
  const to = egress.destinations.map((each) => each.to).join(", ");
  const left = `${plural(egress.chars, "character")} in ${plural(egress.calls, "call")}${to && ` to ${to}`}`;
  const share = egress.share === null ? "" : `; ${(egress.share * 100).toFixed(1)} % of the context`;
  /** @type {[string, string][]} */
  const facts = [
    ["Context", sources.length === 0 ? "none" : sources.join(", ") + more],
    ["Model", [model || "the default", ...(sub && sub !== model ? [`${sub} for sub-calls`] : [])].join(", ")],
    ["Work", `${plural(result.iterations, "iteration")}, ${duration(result.totalTime / 1000)}`],
    ["Used", inWords(result.usage)],
    ["Left the tab", egress.calls === 0 ? "nothing" : left + share],
  ];
  const isKnown = egress.calls > 0 || run.counts.started === 0; // a log of the loop alone has no such events
  return isKnown ? facts : facts.filter(([name]) => name !== "Left the tab");
}

/** @param {{[name: string]: unknown}} described */
function sourceOf({ name, type, size }) {
  if (typeof size !== "number") return String(name);
  const unit = type === "file" || type === "bytes" ? bytes(size) : plural(size, type === "str" ? "character" : "item");
  return `${name} (${unit})`;
}

/** Markdown of a model that loads nothing wherever it is shown: no picture, and no tag. @param {string} text */
export function inert(text) {
  return text.replace(/!(?=\[)/g, "\\!").replace(/<(?=[a-zA-Z/!?])/g, "\\<");
}
