// @ts-check
// Source view: quotes checked, and shown at their place, over files that the caller has; no model is called.
//
// In: evidence, of a run or of a log, and the context. Out: the same with status and place, as a run checks it; or the place
// of one item in a document: a picture of its page, or the text around it, made in a contained worker. Nothing is sent.

import { openDestinations } from "./egress/destinations.js";
import { openLedger } from "./egress/ledger.js";
import { checkReadable, jobOf } from "./options/job.js";
import { checkedSettings } from "./options/settings.js";
import { localBlock } from "./run/local_block.js";
import { runTree } from "./run/tree.js";
import { displayedItems } from "./wire/displayed_items.js";
import { configError } from "./wire/errors.js";
import { jsonText } from "./wire/json.js";

/**
 * @typedef {import("./rlm.d.ts").RLMEvidence} RLMEvidence
 * @typedef {import("./rlm.d.ts").RLMQuote} RLMQuote
 * @typedef {import("./rlm.d.ts").RLMSourceOptions} RLMSourceOptions
 * @typedef {import("./rlm.d.ts").RLMSourceText} RLMSourceText
 * @typedef {import("./rlm.d.ts").RLMSourceView} RLMSourceView
 * @typedef {import("./rlm.d.ts").RLMTable} RLMTable
 * @typedef {import("./rlm.d.ts").RLMReadingOptions} RLMReadingOptions
 */

const CHECK = "FINAL('checked', evidence=request)";
const SHOW = "from source_view import shown\nFINAL(shown(context, request))";
const TEXT = "from source_view import text_of\nFINAL(text_of(context))";
const TABLES = "from source_view import tables_of\nFINAL(tables_of(context))";
const MAX_UNPACKED_BYTES = 128 << 20;
const REPLIES = 3;

/**
 * @param {RLMQuote[]} quotes
 * @param {RLMSourceOptions} options
 */
export async function checkedQuotes(quotes, options) {
  if (quotes.length === 0) return [];
  const { evidence } = await ran(CHECK, quotes, options);
  return evidence;
}

/**
 * @param {Pick<RLMEvidence, "quote" | "source" | "start" | "end" | "page">} item
 * @param {RLMSourceOptions} options
 * @returns {Promise<RLMSourceView>}
 */
export async function shownSource({ quote, source, start, end, page }, options) {
  const { answer } = await ran(SHOW, { quote, source, start, end, page }, options);
  const view = JSON.parse(answer);
  if (typeof view.reason === "string") throw configError(view.reason);
  if (typeof view.picture !== "string") {
    const [before, quoted, after] = [view.before, view.quoted, view.after].map(String);
    return { picture: null, marks: [], before, quoted, after };
  }
  const bytes = Uint8Array.from(atob(view.picture), (letter) => letter.charCodeAt(0));
  const marks = /** @type {unknown[][]} */ (view.marks).map((mark) => mark.map(Number));
  return { picture: new Blob([bytes], { type: "image/png" }), marks, before: "", quoted: "", after: "" };
}

/**
 * @param {Blob} file
 * @param {RLMReadingOptions} [options]
 * @returns {Promise<RLMSourceText>}
 */
export async function sourceText(file, options) {
  const { answer } = await ran(TEXT, null, { ...options, context: file });
  const { text, chars, pages, reason } = /** @type {Record<string, unknown>} */ (await unpacked(answer));
  return { text: String(text), chars: Number(chars), pages: Number(pages), reason: String(reason) };
}

/**
 * @param {Blob} file
 * @param {RLMReadingOptions} [options]
 * @returns {Promise<RLMTable[]>}
 */
export async function sourceTables(file, options) {
  const { answer } = await ran(TABLES, null, { ...options, context: file });
  const { tables, reason } = /** @type {Record<string, unknown>} */ (await unpacked(answer));
  if (typeof reason === "string") throw configError(reason);
  const { items, wrong } = displayedItems(JSON.stringify(tables));
  if (wrong !== null) throw configError(`its tables cannot be shown: ${wrong}`);
  return items.filter((item) => item.kind === "table");
}

/**
 * A value of Python that was packed (source_view.py). What it unpacks to is bounded: the worker read a foreign file.
 * @param {string} answer
 * @returns {Promise<unknown>}
 */
async function unpacked(answer) {
  const packed = Uint8Array.from(atob(answer), (letter) => letter.charCodeAt(0));
  const parts = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (let part = await parts.read(); !part.done; part = await parts.read()) {
    size += part.value.length;
    if (size > MAX_UNPACKED_BYTES) throw configError(`the source gives more than ${MAX_UNPACKED_BYTES} bytes of text`);
    text += decoder.decode(part.value, { stream: true });
  }
  return JSON.parse(text + decoder.decode());
}

/**
 * The result of one block over the context, with `request` in its hands.
 * @param {string} code
 * @param {unknown} request
 * @param {RLMSourceOptions} options
 */
async function ran(code, request, { context, signal, ...own }) {
  const tools = { request: jsonText(JSON.stringify(request)) };
  const settings = checkedSettings({ ...own, tools, maxIterations: REPLIES }, import.meta.url);
  const { endpoint, headers, assets, host, containment, functions } = settings;
  const job = await jobOf(settings, "Where do the quotes stand?", context, undefined);
  await checkReadable(job);
  const listeners = { onEvent: () => {}, onCall: () => {} };
  const ledger = openLedger({ destinations: openDestinations(endpoint) });
  const free = { allowedModels: null, allowUnknownPrice: true, keepImages: false, onEgress: null };
  const hosting = { endpoint, headers, assets, host, containment };
  const run = { job, signal, listeners, functions, ledger, hosting, source: localBlock(code), ...free };
  const { result } = await runTree(run);
  if (result.stopped_by !== "final_answer") throw configError(`the source cannot be shown: ${result.detail}`);
  return result;
}
