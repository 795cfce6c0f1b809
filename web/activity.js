// @ts-check
/**
 * Activity of a run in plain words. In: a `RunView`, and whether the person is asked to allow a call. Out: a few words
 * for the line that is always in sight, with a count of finished ones where it is known. Nothing is drawn here.
 */

import { count, plural } from "./format.js";
import { callStates, childState } from "./work.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./types/run.js").BlockView} BlockView */
/** @typedef {import("./types/run.js").StoppedBy} StoppedBy */
/** `tone`: `busy` while it works, `waits` for the person or the server, `good`, `bad` or `plain` when it is over.
 * @typedef {{words: string, tone: "busy" | "waits" | "good" | "bad" | "plain"}} Activity */

/** @type {Readonly<Record<StoppedBy, Activity>>} */
export const ENDINGS = {
  final_answer: { words: "Answered", tone: "good" },
  cancelled: { words: "Stopped", tone: "plain" },
  denied: { words: "Denied", tone: "plain" },
  max_iterations: { words: "Ended at a limit", tone: "plain" },
  max_sub_calls: { words: "Ended at a limit", tone: "plain" },
  max_input_tokens: { words: "Ended at a limit", tone: "plain" },
  max_output_tokens: { words: "Ended at a limit", tone: "plain" },
  max_cost: { words: "Ended at a limit", tone: "plain" },
  max_seconds: { words: "Ended at a limit", tone: "plain" },
  max_errors: { words: "Ended after errors", tone: "bad" },
  provider_error: { words: "Failed: no model answers", tone: "bad" },
  worker_lost: { words: "Failed: Python was lost", tone: "bad" },
};

/** @param {RunView} run @param {boolean} isAsking @returns {Activity} */
export function activityOf(run, isAsking) {
  if (run.phase === "finished") return endingOf(run);
  if (run.recorded) return { words: run.recorded.isPlaying ? "Playing" : "Paused", tone: "waits" };
  if (run.stopping) return { words: "Stopping", tone: "waits" };
  if (isAsking) return { words: "Asking you", tone: "waits" };
  if (run.isAway) return { words: "Paused: the server is not reachable", tone: "waits" };
  if (run.phase === "starting") return { words: "Starting Python", tone: "busy" };
  return { words: workOf(run), tone: "busy" };
}

/** @param {RunView} run @returns {Activity} */
function endingOf({ result, problem, recorded }) {
  if (result) return ENDINGS[result.stoppedBy] ?? { words: "Ended", tone: "plain" };
  if (problem && recorded) return { words: "Cut off", tone: "plain" };
  return { words: "Failed", tone: "bad" };
}

/** @param {RunView} run */
function workOf(run) {
  const iteration = run.iterations.at(-1);
  const block = iteration?.blocks.at(-1);
  if (block && block.observation === null) return blockWork(block);
  if (iteration === undefined || iteration.reply !== null) return "Thinking";
  const { written, reasoning } = iteration;
  if (written !== "") return `Thinking, ${plural(written.length, "character")} written`;
  return reasoning === "" ? "Thinking" : `Thinking, ${plural(reasoning.length, "character")} of reasoning`;
}

/** @param {BlockView} block */
function blockWork({ children, subCalls, toolCalls }) {
  const runs = progress(
    children.map((child) => childState(child, true)),
    "child run",
  );
  return (
    runs ?? progress(callStates(subCalls), "sub-call") ?? progress(callStates(toolCalls), "tool call") ?? "Running code"
  );
}

/** @param {readonly import("./types/run.js").CallState[]} states @param {string} noun @returns {string | undefined} */
function progress(states, noun) {
  const open = states.filter((state) => state === "running" || state === "waiting").length;
  if (open === 0) return undefined;
  return `Waiting for ${plural(open, noun)}, ${count(states.length - open)} of ${count(states.length)} done`;
}
