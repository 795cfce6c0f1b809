// @ts-check
// Price check: whether a limit of cost can be kept.
//
// In: the models of a run that has such a limit, and the endpoint. Out: a ConfigError that names a model without a known
// price, before anything is spent. The endpoint's list of models beside it (`/api/models` beside `/api/rlm`) says whether a
// price is known; where it does not say, the first reply does: see budget.js.

import { configError } from "../wire/errors.js";

/**
 * A line of the list; `priced` is null where the provider reports the cost with each reply.
 * @typedef {{id: string, priced?: boolean | null}} ListedModel
 * @typedef {{models?: ListedModel[], default?: string}} Catalogue
 */

/**
 * @param {string} endpoint
 * @param {Array<string | null>} models null is the server's default
 * @param {typeof fetch} [fetcher]
 */
export async function checkPrices(endpoint, models, fetcher = (...request) => fetch(...request)) {
  const { models: listed = [], default: usual = "" } = await catalogueOf(endpoint, fetcher);
  const names = new Set(models.map((model) => model ?? usual));
  const unpriced = listed.find(({ id, priced }) => names.has(id) && priced === false);
  if (unpriced !== undefined) throw configError(`maxCost cannot be kept: ${noPrice(unpriced.id)}`);
}

/** @param {string} model */
export function noPrice(model) {
  return (
    `no price of the model ${model || "that answered"} is known. Install the server's prices ` +
    `(pip install "pyodide-rlm[prices]"), choose a model with a price, let a provider of the page return usage.cost, or pass allowUnknownPrice.`
  );
}

/**
 * @param {string} endpoint
 * @param {typeof fetch} fetcher
 * @returns {Promise<Catalogue>} empty where the endpoint has none
 */
async function catalogueOf(endpoint, fetcher) {
  const { pathname } = new URL(endpoint, document.baseURI);
  if (!pathname.endsWith("/rlm")) return {};
  try {
    const response = await fetcher(new URL("models", new URL(endpoint, document.baseURI)));
    return response.ok ? Object(await response.json()) : {};
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) return {}; // unreachable, or no JSON
    throw error;
  }
}
