// @ts-check
// Wrong endpoint: an address where something answers, and it is no server of model calls.
//
// In: the endpoint, and what came from it. Out: the fault with its remedy, or null where it may be a server of this project:
// its own failures are problems with a type of ours.

import { providerError } from "../wire/errors.js";
import { fieldsOf } from "../wire/schema.js";

/** Statuses of a server that has nothing at a path, or takes no POST there. */
const NOTHING_THERE = [404, 405, 410, 501];
const OWN_TYPE = /\/problems\/([a-z-]+)$/;
/** Problems of ours that say the same. */
const NO_SUCH_PATH = ["not-found", "method-not-allowed"];
export const REMEDY =
  "The option endpoint is the address of model calls at a pyodide-rlm server, such as https://your-server.example/api/rlm; " +
  "without a server, pass a provider.";

/**
 * @param {string} endpoint
 * @param {{status: number, problem: unknown}} response `problem` is its JSON; null: it held none
 */
export function wrongEndpoint(endpoint, { status, problem }) {
  if (!NOTHING_THERE.includes(status)) return null;
  const slug = OWN_TYPE.exec(String(fieldsOf(problem).type))?.[1];
  if (slug !== undefined && !NO_SUCH_PATH.includes(slug)) return null;
  return wrongEndpointFault(endpoint, `it answers ${status}`, status);
}

/**
 * @param {string} endpoint
 * @param {string} answer in words
 * @param {number} status
 */
export function wrongEndpointFault(endpoint, answer, status) {
  const base = globalThis.location?.href;
  const { origin, pathname } = URL.canParse(endpoint, base)
    ? new URL(endpoint, base)
    : { origin: "", pathname: endpoint };
  const message = `nothing answers model calls at ${origin}${pathname}: ${answer}. ${REMEDY}`;
  return providerError(message, { type: "wrong-endpoint", status });
}
