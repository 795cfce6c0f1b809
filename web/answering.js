// @ts-check
/**
 * Who answers a page without a server of its own: the stand-in, a vendor with the person's own key, the browser's model, or
 * a server elsewhere. In: the person's choice, and the key, which is kept in this tab's memory unless the person has it kept. Out: the options of
 * `RLM` for it, the fields that it needs, and the first of these that is missing. The served page has its server.
 */

import { anthropic } from "/rlm/providers/anthropic.js";
import { openaiChat } from "/rlm/providers/openai_chat.js";
import { hasPromptApi, promptApi } from "/rlm/providers/prompt_api.js";
import { expectStandIn, standIn } from "/rlm/providers/stand_in.js";
import { jsonIn } from "/rlm/wire/json.js";
import { html } from "/vendor/preact.mjs";
import { ASSETS, ENDPOINT, IS_STATIC } from "./address.js";
import { fieldValue, isChecked } from "./fields.js";
import { state } from "./state.js";
import { storageOf } from "./storage.js";

/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/** @typedef {"stand-in" | "openai" | "anthropic" | "browser" | "server"} AnsweredBy */
/**
 * Remembered in this browser, unlike keys.
 * @typedef {{answeredBy: AnsweredBy, baseURL: string, vendorModel: string, vendorSubModel: string, endpoint: string}} Answering
 */

/** @type {readonly [AnsweredBy, string][]} */
const CHOICES = [
  ["stand-in", "Stand-in (no model)"],
  ["openai", "OpenAI-compatible, your key"],
  ["anthropic", "Anthropic, your key"],
  ["browser", "This browser's own model"],
  ["server", "A pyodide-rlm server"],
];
const OPENAI_URL = "https://api.openai.com/v1";
const ANTHROPIC_URL = "https://api.anthropic.com";
const LOCAL = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::|\/|$)/;
/** @type {Partial<Record<AnsweredBy, string>>} */
const EXAMPLES = { openai: "gpt-5-mini", anthropic: "claude-sonnet-4-5" };

/** Where the person wants a key kept: never without the box below it. */
const KEYS = "pyodide-rlm.keys";
/** The keys of this tab, by choice. @type {Partial<Record<AnsweredBy, string>>} */
const keys = keptKeys();
const browser = { hasModel: false };
/** @type {import("/rlm/rlm.js").RLMProvider | null} */
let rules = null;

if (IS_STATIC) browser.hasModel = await hasPromptApi().catch(() => false);

/** The keys that the person had this browser keep. @returns {Partial<Record<AnsweredBy, string>>} */
function keptKeys() {
  return IS_STATIC ? /** @type {object} */ (Object(jsonIn(storageOf("localStorage")?.getItem(KEYS) ?? "{}"))) : {};
}

/** Who answers, and where: the address of a vendor or a server; "" for the page's own. */
export function answeredAt() {
  const { answeredBy, baseURL, endpoint } = state.settings;
  if (!IS_STATIC) return { by: /** @type {const} */ ("own-server"), address: "" };
  const addresses = { openai: baseURL.trim() || OPENAI_URL, anthropic: ANTHROPIC_URL, server: endpoint.trim() };
  return { by: answeredBy, address: addresses[/** @type {keyof typeof addresses} */ (answeredBy)] ?? "" };
}

/** Whether the page itself asks the models. */
export function isProvided() {
  return IS_STATIC && state.settings.answeredBy !== "server";
}

/** Whether the person names the models of a vendor. */
function isVendor() {
  return isProvided() && ["openai", "anthropic"].includes(state.settings.answeredBy);
}

/** The options of `RLM` that say where model calls go. @returns {RLMOptions} */
export function answering() {
  if (!IS_STATIC) return { endpoint: ENDPOINT };
  const { answeredBy, baseURL, endpoint } = state.settings;
  const key = keys[answeredBy] || null;
  if (answeredBy === "server") return { endpoint: endpoint.trim() || ENDPOINT, token: key };
  if (answeredBy === "openai") return { provider: openaiChat({ baseURL: baseURL.trim() || OPENAI_URL, apiKey: key }) };
  if (answeredBy === "anthropic") return { provider: anthropic({ apiKey: key }) };
  if (answeredBy === "browser") return { provider: promptApi() };
  rules ??= standIn({ assets: ASSETS });
  return { provider: rules };
}

/** Fetch what the choice needs beside Python, while the person types; a fault is left to the run. */
export async function expectAnswering() {
  if (IS_STATIC && state.settings.answeredBy === "stand-in") await expectStandIn({ assets: ASSETS }).catch(() => null);
}

/** The server's address of a path, with the header that it asks for. @param {string} path beside the endpoint */
export function serverAt(path) {
  const { endpoint } = state.settings;
  const base = IS_STATIC && URL.canParse(endpoint.trim()) ? endpoint.trim() : ENDPOINT;
  const key = IS_STATIC ? keys.server : undefined;
  return { url: new URL(path, base), headers: key ? { authorization: `Bearer ${key}` } : undefined };
}

/** The models of a choice that has no list. @returns {{model: string, subModel: string}} */
export function providedModels() {
  const { vendorModel, vendorSubModel } = state.settings;
  return isVendor() ? { model: vendorModel.trim(), subModel: vendorSubModel.trim() } : { model: "", subModel: "" };
}

/** The first field that the choice needs. @returns {{focus: string, problem: Problem} | null} */
export function missingField() {
  const { answeredBy, baseURL, vendorModel, endpoint } = state.settings;
  if (!IS_STATIC) return null;
  if (answeredBy === "server" && !URL.canParse(endpoint.trim()))
    return needed("endpoint", "The server's address is missing.", "Write it in full, as in “https://…/api/rlm”.");
  if (!isVendor()) return null;
  if (!keys[answeredBy] && !LOCAL.test(baseURL) && (answeredBy === "anthropic" || baseURL.trim() === ""))
    return needed("answering-key", "Your key is missing.", "Type it above; or choose the stand-in, which needs none.");
  if (vendorModel.trim() === "")
    return needed("vendor-model", "No model is named.", `Name one, such as “${EXAMPLES[answeredBy]}”.`);
  return null;
}

/** @param {string} focus @param {string} title @param {string} action */
function needed(focus, title, action) {
  return { focus, problem: { title, cause: "Nothing is sent without it.", action } };
}

/**
 * `onInput` takes each change, `onChosen` is called when a field is left.
 * @typedef {{onInput: (change: Partial<Answering>) => void, onChosen: () => void}} Changes
 */

/** @param {Changes} props */
export function AnsweringFields({ onInput, onChosen }) {
  if (!IS_STATIC) return null;
  const { answeredBy } = state.settings;
  const choices = CHOICES.filter(([id]) => id !== "browser" || browser.hasModel || answeredBy === "browser");
  const pick = (/** @type {Event} */ event) => {
    onInput({ answeredBy: /** @type {AnsweredBy} */ (fieldValue(event)) });
    onChosen();
  };
  return html`<div class="answering">
    <p><label for="answered-by">Provider</label>
      <select id="answered-by" value=${answeredBy} onChange=${pick}>
        ${choices.map(([id, label]) => html`<option value=${id}>${label}</option>`)}
      </select></p>
    ${answeredBy === "server" && html`<${Text} id="endpoint" label="Its address" of="endpoint" example="https://…/api/rlm" ...${{ onInput, onChosen }} />`}
    ${answeredBy === "openai" && html`<${Text} id="base-url" label="Address" of="baseURL" example=${OPENAI_URL} ...${{ onInput, onChosen }} />`}
    ${(isVendor() || answeredBy === "server") && html`<${Key} ...${{ onInput, onChosen }} />`}
    ${
      isVendor() &&
      html`<${Text} id="vendor-model" label="Root model" of="vendorModel" example=${EXAMPLES[answeredBy] ?? ""} ...${{ onInput, onChosen }} />
      <${Text} id="vendor-sub-model" label="Sub model" of="vendorSubModel" example="Same as root" ...${{ onInput, onChosen }} />`
    }
  </div>`;
}

/** @param {{id: string, label: string, of: keyof Answering, example: string} & Changes} props */
function Text({ id, label, of, example, onInput, onChosen }) {
  return html`<p><label for=${id}>${label}</label>
    <input type="text" id=${id} value=${state.settings[of]} placeholder=${example} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {Event} */ event) => onInput({ [of]: fieldValue(event) })} onChange=${onChosen} /></p>`;
}

/** @param {Changes} props */
function Key({ onInput, onChosen }) {
  const { answeredBy } = state.settings;
  const isKept = keptKeys()[answeredBy] !== undefined;
  const take = (/** @type {Event} */ event) => {
    keys[answeredBy] = fieldValue(event).trim();
    if (keptKeys()[answeredBy] !== undefined) keep(answeredBy, keys[answeredBy]); // the field may be drawn from before
    onInput({});
  };
  const choose = (/** @type {Event} */ event) => {
    keep(answeredBy, isChecked(event) ? (keys[answeredBy] ?? "") : undefined);
    onInput({});
  };
  const name = answeredBy === "server" ? "Token, if it asks for one" : "Your key";
  const where = isKept ? "Kept in this browser, unencrypted" : "Kept in this tab’s memory only";
  return html`<p><label for="answering-key">${name}</label>
    <input type="password" id="answering-key" key=${answeredBy} value=${keys[answeredBy] ?? ""} autocomplete="off" spellcheck=${false}
      aria-describedby="answering-key-hint" onInput=${take} onChange=${onChosen} />
    <span class="muted" id="answering-key-hint">${where}, and sent to whom you chose alone.</span>
    <label class="check"><input type="checkbox" id="keep-key" checked=${isKept} onChange=${choose} aria-describedby="keep-key-hint" />
      Keep it in this browser</label>
    <span class="muted" id="keep-key-hint">Not on a computer that others use: whoever opens this browser, and any script of this site, can read it.</span></p>`;
}

/** @param {AnsweredBy} answeredBy @param {string | undefined} key undefined: none is kept */
function keep(answeredBy, key) {
  const { [answeredBy]: _, ...others } = keptKeys();
  const kept = key === undefined ? others : { ...others, [answeredBy]: key };
  if (Object.keys(kept).length > 0) storageOf("localStorage")?.setItem(KEYS, JSON.stringify(kept));
  else storageOf("localStorage")?.removeItem(KEYS);
}
