// @ts-check
/**
 * Progress of a run in a few words, for `<rlm-ask>`. In: the events of the run, one after another. Out: the step, for the
 * line that is read out, and the detail beside it. Nothing is drawn here.
 */

import { count, plural } from "./format.js";

/** @typedef {import("/rlm/rlm.js").Event} Event */
/** @typedef {{step: string, detail: string}} Progress */

/** @returns {(event: Event) => Progress} */
export function openProgress() {
  let step = "Starting Python";
  let detail = "";
  let calls = new Set();
  let answered = 0;

  /** @param {Event} event of the root run */
  const ofRoot = (event) => {
    if (event.type === "iteration_started") [step, detail] = [`Step ${count(event.iteration)}`, "thinking"];
    else if (event.type === "reply_written")
      detail = `thinking, ${plural(event.at + event.text.length, "character")} written`;
    else if (event.type === "block_started") {
      [calls, answered, detail] = [new Set(), 0, "running code"];
    }
  };
  return (event) => {
    if (event.path.length === 0) ofRoot(event);
    const call = "call" in event ? [...event.path, event.call].join() : "";
    if (event.type === "call_started" && (event.kind === "sub" || event.path.length > 0)) calls.add(call);
    if (event.type === "call_finished" && calls.has(call)) answered += 1;
    if (event.type.startsWith("call_") && calls.size > 0)
      detail = `${count(answered)} of ${plural(calls.size, "model call")} answered`;
    return { step, detail };
  };
}
