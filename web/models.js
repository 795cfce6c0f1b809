// @ts-check
/**
 * The models that the server offers, and the standing of a chosen one. In: `/api/models`, names. Out: a `Catalogue`, or
 * the `Problem` that there is none; models by search words. A model that is not offered is never replaced by another.
 */

import { IS_STATIC, addressOf } from "./address.js";
import { isProvided, providedModels, serverAt } from "./answering.js";
import { SERVER_GONE } from "./errors.js";
import { NO_RUN_LIMITS } from "./limits.js";
import { changed, state } from "./state.js";

/**
 * @typedef {object} Model
 * @property {string} id `"provider:name"`
 * @property {string} label
 * @property {string} provider
 * @property {string} [note]
 * @property {string} [host] class of the machine that answers; "" where it is not known
 * @property {number} [window_tokens]
 * @property {{input: number, output: number} | null} [price] US dollars per million tokens
 * @property {boolean} [images] whether it takes any, where that is known
 * @property {boolean} [vendor_tools] whether it searches or browses at its vendor
 */
/** @typedef {{provider: string, note: string}} Note a list of models that is missing or not whole, and why */
/**
 * @typedef {object} Catalogue
 * @property {Model[]} models
 * @property {string} default
 * @property {Note[]} notes
 * @property {import("./day_budget.js").DayBudget | null} budget of the person's day, where the server limits it
 * @property {import("./limits.js").RunLimits} run_limits as the server's operator set them
 */
/**
 * Standing of a choice. `named`: not on the list, and typed by the person all the same. `away`: it was on the list when
 * it was chosen. `unknown`: there is no list.
 * @typedef {"default" | "listed" | "named" | "malformed" | "away" | "unknown"} Standing
 */

export const BUILTIN = "builtin";
const NAME = /^[a-z][a-z0-9_-]*:\S+$/;

/** @type {import("./types/run.js").Problem} */
const NO_LIST = {
  title: "The list of models cannot be read.",
  cause: "What answers at the server’s address sends no JSON: it may be a proxy, or its page to sign in.",
  action: "Reload the page; if it stays, check what stands before the server.",
  remedy: "reload",
};

/** Request the list from the server, and show it. */
export async function loadModels() {
  const answer = await fetchModels();
  if ("models" in answer) state.catalogue = answer;
  state.problems.models = "models" in answer ? null : answer;
  changed();
}

/** Whether nothing answers at the page's own server. */
export async function isServerSilent() {
  if (IS_STATIC) return false;
  try {
    await fetch(addressOf("api/health"));
    return false;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return true;
  }
}

/** @returns {Promise<Catalogue | import("./types/run.js").Problem>} */
export async function fetchModels() {
  const empty = { models: [], default: "", notes: [], budget: null, run_limits: NO_RUN_LIMITS };
  if (isProvided()) return { ...empty, ...providedList() };
  const { url, headers } = serverAt("models");
  try {
    const response = await fetch(url, { headers });
    if (response.ok) return { ...empty, ...(await response.json()) };
    return { ...SERVER_GONE, title: `The server lists no models (status ${response.status}).`, remedy: "models" };
  } catch (error) {
    if (error instanceof TypeError) return { ...SERVER_GONE, remedy: "models" }; // no connection
    if (error instanceof SyntaxError) return NO_LIST;
    throw error;
  }
}

/** The list of a page that asks the models itself: the stand-in, or the model that the person named. */
function providedList() {
  const isStandIn = state.settings.answeredBy === "stand-in";
  const standIn = {
    id: `${BUILTIN}:extractive`,
    label: "builtin:extractive",
    provider: BUILTIN,
    price: { input: 0, output: 0 },
  };
  return isStandIn ? { models: [standIn], default: standIn.id } : { default: providedModels().model };
}

/**
 * @param {string} id "" for the server's default
 * @param {{catalogue: Catalogue | null, named: readonly string[]}} known `named` are the ids that the person typed
 * @returns {Standing}
 */
export function standingOf(id, { catalogue, named }) {
  if (id === "") return "default";
  if (catalogue?.models.some((model) => model.id === id)) return "listed";
  if (!NAME.test(id)) return "malformed";
  if (named.includes(id)) return "named";
  return catalogue === null ? "unknown" : "away";
}

/**
 * The id that a typed text stands for: of the list where it is one's id, label or name, else the text itself.
 *
 * @param {string} typed
 * @param {readonly Model[]} models
 */
export function idOf(typed, models) {
  const text = typed.trim();
  const isMeant = (/** @type {Model} */ { id, label }) => id === text || label === text;
  const named = models.filter(({ id }) => id.slice(id.indexOf(":") + 1) === text);
  return (models.find(isMeant) ?? (named.length === 1 ? named[0] : undefined))?.id ?? text;
}

/**
 * The models that hold each word of `typed` in id or label, in any case.
 *
 * @param {string} typed
 * @param {readonly Model[]} models
 */
export function matching(typed, models) {
  const words = typed.toLowerCase().split(/\s+/);
  return models.filter(({ id, label }) => {
    const text = `${id} ${label}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/**
 * Providers that are set up: their models are listed, or a note says why they are not.
 *
 * @param {Catalogue} catalogue
 */
export function providersOf({ models, notes }) {
  const all = [...models.map(({ provider }) => provider), ...notes.map(({ provider }) => provider)];
  return new Set(all.filter((provider) => provider !== BUILTIN));
}

/** @param {string} id */
export function isWellFormed(id) {
  return NAME.test(id);
}

/** Remark on a model for those who choose one. @param {Model} model */
export function remarkOn({ note = "", vendor_tools: tools = false }) {
  return [tools ? "searches the web at its vendor: code may call it only if you add it below" : "", note]
    .filter((part) => part !== "")
    .join("; ");
}
