// @ts-check
/**
 * Draft: the form as it was before a reload of this tab, for the same tab alone. In: the question, the typed context, the
 * names and sizes of the attachments, the conversation under way. Out: the same after a reload; files are listed to be
 * given again, since a page may not open them by itself. The browser drops it with the tab.
 */

import { jsonIn } from "/rlm/wire/json.js";
import { MOST_TYPED_CHARS, sizeOf } from "./context.js";
import { changed, state } from "./state.js";
import { storageOf } from "./storage.js";

/** @typedef {import("./types/state.js").Wanted} Wanted */

const KEY = "pyodide-rlm.draft";
const WRITE_MS = 300;
const FIELDS = /** @type {const} */ (["question", "typed", "attachments", "wanted", "followUp", "conversation"]);
const TEXTS = ["question", "typed", "followUp", "conversation"];

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {readonly unknown[]} */
let written = [];

/** Write the draft soon, if it changed; called after each change. */
export function keepDraft() {
  if (timer !== undefined || !isChanged()) return;
  timer = setTimeout(write, WRITE_MS);
}

/** Write it now: the page is about to go. */
export function writeDraft() {
  if (isChanged()) write();
}

/** Fill the form in again. */
export function restoreDraft() {
  const draft = jsonIn(storageOf("sessionStorage")?.getItem(KEY) ?? "null");
  if (typeof draft !== "object" || draft === null) return;
  const { files, ...texts } = /** @type {Record<string, unknown>} */ (draft); // fields that an older page lacked keep their default
  for (const name of TEXTS) if (typeof texts[name] === "string") Object.assign(state, { [name]: texts[name] });
  if (Array.isArray(files)) state.wanted = files;
  written = FIELDS.map((name) => state[name]);
  changed();
}

function isChanged() {
  return FIELDS.some((name, at) => state[name] !== written[at]);
}

function write() {
  clearTimeout(timer);
  timer = undefined;
  written = FIELDS.map((name) => state[name]);
  const { question, followUp, conversation } = state;
  const typed = state.typed.length <= MOST_TYPED_CHARS ? state.typed : "";
  const attached = state.attachments.map(({ name, files, at }) => ({
    name,
    size: sizeOf(files),
    files: files.length,
    at,
  }));
  const all = [...state.wanted, ...attached].sort(({ at: one = Infinity }, { at: other = Infinity }) =>
    one === other ? 0 : one - other,
  );
  const files = all.map((file, at) => ({ ...file, at }));
  storageOf("sessionStorage")?.setItem(KEY, JSON.stringify({ question, typed, followUp, conversation, files }));
}
