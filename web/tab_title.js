// @ts-check
/**
 * The tab's title, which tells the state of the run, and a notification at its end where the person chose that. In: the run.
 * Out: `document.title`, and at most one notification a run, which the browser shows while the tab is not in sight.
 */

import { activityOf } from "./activity.js";
import { state } from "./state.js";

/** @typedef {import("./types/run.js").RunView} RunView */

const PLAIN = document.title;
const MOST_CHARS = 60;
/** The run that was under way when the title was last set. @type {RunView | null} */
let running = null;

/** Called at each drawing. */
export function tellTab() {
  const { run } = state;
  const title = titleOf(run, state.asking !== null);
  if (document.title !== title) document.title = title;
  const hasEnded = run !== null && run === running && run.phase === "finished";
  running = run !== null && run.recorded === null && run.phase !== "finished" ? run : null;
  if (hasEnded) notifyOf(run, title);
}

/**
 * @param {RunView | null} run
 * @param {boolean} isAsking
 */
export function titleOf(run, isAsking) {
  if (run === null || run.recorded !== null) return PLAIN;
  const { words, tone } = activityOf(run, isAsking);
  const { length } = run.iterations;
  const isBusy = run.phase !== "finished" && tone === "busy";
  const said = tone === "good" ? "Done" : isBusy && length > 0 ? `Running ${length}` : (words.split(":")[0] ?? words);
  const question = run.question.trim().split("\n", 1)[0] ?? "";
  return `${said} – ${question.length > MOST_CHARS ? `${question.slice(0, MOST_CHARS - 1)}…` : question}`;
}

/** @param {RunView} run @param {string} title */
function notifyOf(run, title) {
  if (!state.settings.notifies || !document.hidden || !mayNotify()) return;
  const body = (run.result?.answer || run.problem?.title || "").slice(0, 200);
  const shown = notification(title, { body, tag: "pyodide-rlm" });
  if (shown === null) return;
  shown.onclick = () => {
    focus();
    shown.close();
  };
}

/** @param {string} title @param {NotificationOptions} options @returns {Notification | null} null where the browser has none for pages, as on Android */
function notification(title, options) {
  try {
    return new Notification(title, options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return null;
  }
}

function mayNotify() {
  return typeof Notification === "function" && Notification.permission === "granted";
}

/** Ask the browser for its permission. @returns {Promise<boolean>} whether notifications may be shown */
export async function askToNotify() {
  if (typeof Notification !== "function") return false;
  return (await Notification.requestPermission()) === "granted";
}
