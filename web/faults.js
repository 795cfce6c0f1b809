// @ts-check
/**
 * Why a model call failed, in a person's words. In: a `Fault` of a result, known by its type, and the sentence that came
 * with it. Out: a `Problem` with the one thing to do. Faults that pass by themselves were tried again before.
 */

import { sentence } from "./format.js";

/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {NonNullable<import("./types/run.js").RLMResult["fault"]>} Fault */
/** @typedef {Omit<Problem, "cause">} Advice */

const NOT_LOST = "Your question and context are still here.";

/** @type {Advice} */
const KEY = {
  title: "The provider refused the server's key.",
  action: "Set a key that is good, start the server again, then run again.",
  remedy: "run",
};
/** @type {Advice} */
const MODEL = {
  title: "The server does not know this model.",
  action: "Choose another model, or set up its provider and start the server again.",
  remedy: "models",
};
/** @type {Advice} */
const BLIND = {
  title: "The model takes no images.",
  action: "Choose a model that takes images, or a document with text.",
  remedy: "models",
};
/** @type {Advice} */
const BUSY = {
  title: "The provider asks to slow down.",
  action: "Wait a while, then run again, or choose another model.",
  remedy: "run",
};
/** @type {Advice} */
const DOWN = {
  title: "The provider is down.",
  action: "Run again later, or choose a model of another provider.",
  remedy: "models",
};
/** @type {Advice} */
const LONG = {
  title: "A prompt was too long.",
  action: "Choose a model with a larger window, or ask a narrower question.",
  remedy: "models",
};
/** @type {Advice} */
const GONE = {
  title: "The server does not answer.",
  action: "Start it again with “pyodide-rlm serve”, then try once more.",
  remedy: "run",
};
/** @type {Advice} */
const BROKEN = {
  title: "The server's reply could not be read.",
  action: "Check what answers at the endpoint, then run again.",
  remedy: "run",
};

/** @type {Advice} */
const SILENT = {
  title: "The model writes no text to work with.",
  action: "Choose another model, or put the question differently.",
  remedy: "models",
};
/** @type {Advice} */
const REFUSED = {
  title: "The server refused the request.",
  action: "Reload the page; if it happens again, see whether page and server are of one version.",
  remedy: "reload",
};

/** Each type that a server of ours, the page's own half or the loop can report. @type {Readonly<Record<string, Advice>>} */
const BY_TYPE = {
  "upstream-key-refused": KEY,
  "upstream-quota-spent": {
    title: "The account at the provider has no credit left.",
    action: "Add credit there, or choose a model of another provider.",
    remedy: "models",
  },
  "upstream-rate-limited": BUSY,
  "upstream-model-unknown": { ...MODEL, title: "The provider does not know this model." },
  "unknown-model": MODEL,
  "model-without-images": BLIND,
  "provider-not-configured": { ...MODEL, title: "The model's provider is not set up." },
  "upstream-prompt-too-long": LONG,
  "upstream-prompt-cut": {
    title: "The model read only a part of a prompt.",
    action: "Raise the model's window where it is served, or ask with less text at once.",
    remedy: "models",
  },
  "request-too-large": LONG,
  "body-too-large": LONG,
  "upstream-unreachable": DOWN,
  "upstream-timeout": DOWN,
  "upstream-failed": DOWN,
  "upstream-cut-off": DOWN,
  "upstream-malformed": { ...DOWN, title: "The provider's reply could not be read." },
  "upstream-reply-too-large": {
    title: "The provider's reply is larger than the server takes.",
    action: "Raise RLM_MAX_UPSTREAM_BYTES where the server is started, or set a length of replies, then run again.",
    remedy: "run",
  },
  "unknown-option": {
    title: "The provider does not have one of the model options.",
    action: "Leave the option that it names empty, then run again.",
    remedy: "run",
  },
  "upstream-call-refused": {
    title: "The provider refused the call.",
    action: "Choose another model, or put the question differently.",
    remedy: "models",
  },
  "token-required": {
    title: "The server asks for its token.",
    action: "Reload the page and type the token that the server was started with.",
    remedy: "reload",
  },
  "too-many-attempts": {
    title: "Too many wrong tokens came from this address.",
    action: "Wait a minute, then run again.",
    remedy: "run",
  },
  "budget-spent": {
    title: "The server's budget is spent.",
    action: "Raise the limit that it names where the server is started, then run again.",
    remedy: "run",
  },
  "server-stopping": {
    title: "The server is being restarted.",
    action: "Wait until it is there again, then run again.",
    remedy: "run",
  },
  "internal-error": {
    title: "The server failed.",
    action: "Run again; if it happens again, report it with the server's log.",
    remedy: "run",
  },
  "invalid-json": REFUSED,
  "invalid-request": REFUSED,
  "unknown-field": REFUSED,
  "empty-prompt": REFUSED,
  "not-found": REFUSED,
  "method-not-allowed": REFUSED,
  "unsupported-media-type": REFUSED,
  "http-error": REFUSED,
  "host-refused": {
    title: "The server does not answer under this address.",
    action: "Open the page at the address that the server prints, or name yours in RLM_ALLOWED_HOSTS.",
  },
  "origin-refused": {
    title: "The server does not answer calls of this page.",
    action: "Name the page's origin in RLM_ALLOWED_ORIGINS where the server is started.",
  },
  "body-timeout": { title: "The request did not reach the server in time.", action: "Run again.", remedy: "run" },
  stopped: { title: "The call was stopped.", action: "Run again whenever you like.", remedy: "run" },
  denied: { title: "The call was not allowed to leave.", action: "Run again, and allow it.", remedy: "run" },
  "model-not-allowed": {
    title: "The code named a model that this run may not use.",
    action: "Choose it as root or sub model, then run again.",
    remedy: "models",
  },
  "reply-empty": SILENT,
  "reply-content-filter": {
    title: "The provider's filter withholds the model's replies.",
    action: "Put the question differently, or choose another model.",
    remedy: "models",
  },
  "reply-tool-calls": {
    ...SILENT,
    title: "The model calls tools in place of writing code.",
    action: "Choose another model: this one does not follow the instructions.",
  },
  "reply-length": {
    title: "The model's replies are cut before they hold any text.",
    action: "Allow longer replies or less reasoning under “Model options”, or choose another model.",
    remedy: "models",
  },
  "reply-repeated": {
    title: "The model repeats itself.",
    action: "Choose another model, or put the question differently.",
    remedy: "models",
  },
  "server-unreachable": GONE,
  "server-silent": GONE,
  "cors-refused": {
    title: "The server does not allow this page.",
    action: "Name the page's origin in RLM_ALLOWED_ORIGINS where the server is started.",
    remedy: "run",
  },
  "wrong-endpoint": {
    title: "No server of model calls is at this address.",
    action: "Correct the server's address, then run again.",
    remedy: "run",
  },
  "provider-failed": DOWN,
  "provider-silent": DOWN,
  "provider-malformed": { ...DOWN, title: "The provider's reply cannot be used." },
  "server-away": GONE,
  "proxy-refused": {
    title: "The way to the server is barred.",
    action: "Do what it says, then reload the page.",
    remedy: "reload",
  },
  offline: { title: "This browser is offline.", action: "Connect it again, then run again.", remedy: "run" },
  "reply-cut-off": BROKEN,
  "reply-malformed": BROKEN,
};

/** For endpoints that tell no type. @type {Readonly<Record<number, Advice>>} */
const BY_STATUS = { 401: KEY, 403: KEY, 402: BUSY, 404: MODEL, 413: LONG, 429: BUSY };

/** @type {Advice} */
const UNKNOWN = { title: "A model call failed.", action: "Do what it says, then run again.", remedy: "run" };

/**
 * @param {Fault | null} fault
 * @param {string} detail
 * @returns {Problem}
 */
export function explainFault(fault, detail) {
  return { ...adviceFor(fault), cause: `${sentence(detail)} ${NOT_LOST}`.trim() };
}

/** @param {Fault | null} fault */
function adviceFor(fault) {
  if (fault === null) return UNKNOWN;
  const byType = Object.hasOwn(BY_TYPE, fault.type) ? BY_TYPE[fault.type] : undefined;
  const status = fault.status ?? 0;
  return byType ?? BY_STATUS[status] ?? (status >= 500 ? DOWN : UNKNOWN);
}
