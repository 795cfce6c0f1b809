// @ts-check
// Usage: sums of the calls, tokens and cost of models.
//
// In: usages. Out: their sum. A cost is known only where each part of it is.

/**
 * @typedef {import("./protocol.js").ModelUsage} ModelUsage
 * @typedef {import("./types.d.ts").Usage} Usage
 */

/** Name of the server's default model in a usage where no reply names its model. */
export const UNNAMED = "default";
/** Usage of a call that left and whose reply did not come: its cost is not known. */
export const UNKNOWN_USAGE = { calls: 1, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };
export const NO_USAGE = { calls: 0, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };

/**
 * @param {ModelUsage} used
 * @param {ModelUsage} more
 * @returns {ModelUsage} the sum; its cost is unknown when one of them is
 */
export function added(used, more) {
  const costs = [used, more].filter(({ calls, cost }) => calls > 0 || cost !== null).map(({ cost }) => cost);
  const known = costs.filter((cost) => cost !== null);
  return {
    calls: used.calls + more.calls,
    input_tokens: used.input_tokens + more.input_tokens,
    output_tokens: used.output_tokens + more.output_tokens,
    cached_tokens: used.cached_tokens + more.cached_tokens,
    cost: costs.length > 0 && known.length === costs.length ? known.reduce((sum, cost) => sum + cost, 0) : null,
  };
}

/**
 * Add `more` to the account of `model`.
 * @param {Usage} usage
 * @param {string} model
 * @param {ModelUsage} more
 */
export function spend(usage, model, more) {
  usage[model] = Object.hasOwn(usage, model) ? added(usage[model], more) : more;
}

/**
 * @param {Usage[]} usages
 * @returns {Usage} the sum of all, model by model
 */
export function total(usages) {
  /** @type {Usage} */
  const sum = {};
  for (const [model, used] of usages.flatMap((usage) => Object.entries(usage))) spend(sum, model, used);
  return sum;
}
