// @ts-check
/** Watch over the server: whether it is there, said before a run, and the cause of one that failed. */

import { SERVER_GONE, explain } from "./errors.js";
import { fetchModels, isServerSilent, loadModels } from "./models.js";
import { changed, isRunning, state } from "./state.js";

const SERVER_CHECK_MS = 30_000;

/** Ask the server whether it is there, and show it where it is not. */
export async function checkServer() {
  const isGone = await isServerSilent();
  if (isGone === (state.problems.server !== null)) return;
  state.problems.server = isGone ? SERVER_GONE : null;
  changed();
  if (!isGone && state.catalogue === null) await loadModels();
}

/** Watch an idle page's server: whether it is there is said before a run, not by one. */
export function watchServer() {
  const check = () => !document.hidden && !isRunning() && void checkServer();
  setInterval(check, SERVER_CHECK_MS);
  addEventListener("focus", check);
  document.addEventListener("visibilitychange", check);
}

/** A failure in words: of the server where that is gone. @param {unknown} error */
export async function problemOf(error) {
  if (error instanceof Error && error.name === "ReplayError") return explain(error); // no server has a part in it
  return (await isServerGone()) ? SERVER_GONE : explain(error);
}

/** Whether the server is the cause of a failure: a request decides. */
async function isServerGone() {
  return !("models" in (await fetchModels()));
}
