// @ts-check
/**
 * The models that the server offers. In: `/api/models`. Out: a `Catalogue`, or the `Problem` that there is none.
 */

import { SERVER_GONE } from "./errors.js";
import { changed, state } from "./state.js";

/**
 * @typedef {object} Model
 * @property {string} id `"provider:name"`
 * @property {string} label
 * @property {string} provider
 * @property {string} [note]
 */
/** @typedef {{models: Model[], default: string}} Catalogue */

/** Request the list from the server, and show it. */
export async function loadModels() {
  const answer = await fetchModels();
  if ("models" in answer) state.catalogue = answer;
  state.problems.models = "models" in answer ? null : answer;
  changed();
}

/** @returns {Promise<Catalogue | import("./types/run.js").Problem>} */
export async function fetchModels() {
  try {
    const response = await fetch("/api/models");
    if (response.ok) return await response.json();
    return { ...SERVER_GONE, title: `The server lists no models (status ${response.status}).`, remedy: "models" };
  } catch (error) {
    if (error instanceof TypeError) return { ...SERVER_GONE, remedy: "models" }; // no connection
    throw error;
  }
}
