// @ts-check
/** Log file: the log of a run, as a download. In: a `RunView`. Out: its text; names of files with the date. */

import { save } from "./save.js";

/** @typedef {import("./types/run.js").RunView} RunView */

/** The log of a run; of one that failed, the events that the page saw. @param {RunView} run */
export function trajectoryOf(run) {
  if (run.result) return run.result.trajectory();
  return run.recorded?.log ?? run.events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

/** Save the trajectory as a JSONL file. @param {RunView} run */
export function downloadTrajectory(run) {
  save(new Blob([trajectoryOf(run)], { type: "application/jsonl" }), fileName("trajectory", "jsonl"));
}

/** @param {string} noun @param {string} suffix */
export function fileName(noun, suffix) {
  return `${noun}-${new Date().toISOString().slice(0, 19).replace(/:/g, "-")}.${suffix}`;
}
