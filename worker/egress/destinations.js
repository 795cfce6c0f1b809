// @ts-check
// Destinations: where a model call goes, as far as the host knows: the origin, the provider, the model, the host class.
//
// In: the endpoint, and a model's name; null is the server's default. Out: the destination. The server's list of models
// tells the default's name and the host class; it is read once, and only from the page's own server. A list that is
// missing or slow makes a destination less exact, and stops nothing.

import { destinationOf } from "../wire/destination.js";
import { fieldsOf } from "../wire/schema.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMDestination} RLMDestination
 * @typedef {{defaultModel: string | null, hosts: Map<string, string>}} Catalogue host classes by model
 * @typedef {ReturnType<typeof openDestinations>} Destinations
 */

const LIST_MS = 2_000;
/** The word of a server for models beside it, and the page's where the server is another machine. */
const HERE = "on this machine";
const THERE = "on the server's machine";
/** @type {Catalogue} */
const UNKNOWN = { defaultModel: null, hosts: new Map() };

/**
 * @param {string} endpoint
 * @param {(list: URL) => Promise<unknown>} [readList] the server's list of models, as it comes
 */
export function openDestinations(endpoint, readList = fetchedList) {
  const url = new URL(endpoint, globalThis.document?.baseURI);
  /** @type {Promise<Catalogue> | null} */
  let reading = null;
  const catalogue = () => {
    reading ??= readList(new URL("models", url)).then(catalogueIn, () => UNKNOWN);
    return reading;
  };

  return {
    /**
     * @param {string | null} model
     * @returns {Promise<RLMDestination>}
     */
    async of(model) {
      const { defaultModel, hosts } = await catalogue();
      const name = model ?? defaultModel;
      const host = hosts.get(name ?? "") ?? null;
      return destinationOf(url.origin, name, host === HERE && !isLoopback(url) ? THERE : host);
    },
    /** The name of the server's default model; null where it is not known. */
    async defaultModel() {
      return (await catalogue()).defaultModel;
    },
  };
}

/** @param {URL} url */
function isLoopback({ hostname }) {
  return /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/**
 * @param {URL} list
 * @returns {Promise<unknown>}
 */
async function fetchedList(list) {
  if (list.origin !== globalThis.location?.origin) return null;
  const response = await fetch(list, { signal: AbortSignal.timeout(LIST_MS) });
  return response.ok ? response.json() : null;
}

/**
 * @param {unknown} list
 * @returns {Catalogue}
 */
function catalogueIn(list) {
  const { models, default: name } = fieldsOf(list);
  const known = (Array.isArray(models) ? models : []).map(fieldsOf);
  const hosts = known.flatMap(({ id, host }) => (isText(id) && isText(host) ? [entry(id, host)] : []));
  return { defaultModel: isText(name) ? name : null, hosts: new Map(hosts) };
}

/**
 * @param {string} id
 * @param {string} host
 * @returns {[string, string]}
 */
function entry(id, host) {
  return [id, host];
}

/**
 * @param {unknown} value
 * @returns {value is string}
 */
function isText(value) {
  return typeof value === "string" && value !== "";
}
