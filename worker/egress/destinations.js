// @ts-check
// Destinations: where a model call goes, as far as the host knows: the origin, the provider, the model, the host class.
//
// In: the endpoint, and a model's name; null is the server's default. Out: the destination. The server's list of models
// tells the default's name, the host class and the window; it is read once, for questions that follow each other too, and only
// from the page's own server. A list that is missing or slow makes a destination less exact, and stops nothing.

import { destinationOf } from "../wire/destination.js";
import { LIMITS } from "../wire/protocol.js";
import { fieldsOf } from "../wire/schema.js";

/**
 * @typedef {import("../wire/types.d.ts").RLMDestination} RLMDestination
 * @typedef {{defaultModel: string | null, hosts: Map<string, string>, windows: Map<string, number>, withTools: Set<string>,
 *   images: Map<string, boolean>}}
 *   Catalogue host classes and windows by model; the models that search or browse at their vendor;
 *   whether a model takes images, where that is known
 * @typedef {ReturnType<typeof openDestinations>} Destinations
 */

const LIST_MS = 2_000;
/** How old a list may be that the question before has read. */
const RECENT_MS = 10_000;
const LEAST_WINDOW = LIMITS.windowTokens.least;
/** The word of a server for models beside it, and the page's where the server is another machine. */
const HERE = "on this machine";
const THERE = "on the server's machine";
/** @type {Catalogue} */
const UNKNOWN = { defaultModel: null, hosts: new Map(), windows: new Map(), withTools: new Set(), images: new Map() };

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
    /**
     * Whether a model searches or browses at its vendor, as far as the list tells.
     * @param {string | null} model
     */
    async hasTools(model) {
      const { defaultModel, withTools } = await catalogue();
      return withTools.has(model ?? defaultModel ?? "");
    },
    /**
     * Whether a model takes images; null where that is not known.
     * @param {string | null} model
     */
    async takesImages(model) {
      const { defaultModel, images } = await catalogue();
      return images.get(model ?? defaultModel ?? "") ?? null;
    },
    /** The name of the server's default model; null where it is not known. */
    async defaultModel() {
      return (await catalogue()).defaultModel;
    },
    /**
     * Tokens of a model's window; null where its provider does not tell.
     * @param {string | null} model
     */
    async windowTokens(model) {
      const { defaultModel, windows } = await catalogue();
      return windows.get(model ?? defaultModel ?? "") ?? null;
    },
  };
}

/**
 * Where the calls to a provider of the page go: it has no list, but facts.
 * @param {Pick<import("../wire/types.d.ts").PageProvider, "label" | "takesImages" | "windowTokens">} provider
 * @returns {Destinations}
 */
export function providerDestinations({ label, takesImages, windowTokens }) {
  return {
    of: async (model) => destinationOf(label, model, null, "its default model"),
    hasTools: async () => false,
    takesImages: async () => takesImages,
    defaultModel: async () => null,
    windowTokens: async () => windowTokens,
  };
}

/** @param {URL} url */
function isLoopback({ hostname }) {
  return /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/**
 * @param {URL} list
 * @param {typeof fetch} [fetcher]
 * @returns {Promise<unknown>}
 */
async function fetchedList(list, fetcher = (...request) => fetch(...request)) {
  if (list.origin !== globalThis.location?.origin) return null;
  const response = await fetcher(list, { signal: AbortSignal.timeout(LIST_MS) });
  return response.ok ? response.json() : null;
}

/** The list that was read last. @type {{key: string, readAt: number, list: unknown} | null} */
let recent = null;

/**
 * `fetchedList`, or what the same request gave just before.
 * @param {URL} list
 * @param {Record<string, string>} headers of the request
 * @param {typeof fetch} fetcher sends them
 * @returns {Promise<unknown>}
 */
export async function recentList(list, headers, fetcher) {
  const key = JSON.stringify([list.href, headers]);
  if (recent?.key === key && performance.now() - recent.readAt < RECENT_MS) return recent.list;
  const read = await fetchedList(list, fetcher);
  if (read !== null) recent = { key, readAt: performance.now(), list: read };
  return read;
}

/**
 * @param {unknown} list
 * @returns {Catalogue}
 */
function catalogueIn(list) {
  const { models, default: name } = fieldsOf(list);
  const known = (Array.isArray(models) ? models : []).map(fieldsOf);
  const hosts = known.flatMap(({ id, host }) => (isText(id) && isText(host) ? [entry(id, host)] : []));
  const windows = known.flatMap(({ id, window_tokens: window }) =>
    isText(id) && Number.isSafeInteger(window) && Number(window) >= LEAST_WINDOW ? [entry(id, Number(window))] : [],
  );
  const withTools = known.flatMap(({ id, vendor_tools: tools }) => (isText(id) && tools === true ? [id] : []));
  const images = known.flatMap(({ id, images: takes }) =>
    isText(id) && typeof takes === "boolean" ? [entry(id, takes)] : [],
  );
  return {
    images: new Map(images),
    defaultModel: isText(name) ? name : null,
    hosts: new Map(hosts),
    windows: new Map(windows),
    withTools: new Set(withTools),
  };
}

/**
 * @template T
 * @param {string} id
 * @param {T} value
 * @returns {[string, T]}
 */
function entry(id, value) {
  return [id, value];
}

/**
 * @param {unknown} value
 * @returns {value is string}
 */
function isText(value) {
  return typeof value === "string" && value !== "";
}
