// @ts-check
// Vendor failures: the meaning of a vendor's refusal, by its status and its words.
//
// In: the vendor's host, a status and a body. Out: a ProviderError, with the types of the server's own table
// (server/rlm_server/providers/failures.py). A vendor's words are searched and never shown, since they may repeat the key;
// only its `type` and `code` are, where they are plain identifiers.

import { providerError } from "../wire/errors.js";
import { jsonIn } from "../wire/json.js";
import { fieldsOf } from "../wire/schema.js";

/**
 * A row fits where the status is one of `statuses` (any, if left out) and the words match.
 * @typedef {{type: string, advice: string, retryable?: boolean, statuses?: (status: number) => boolean, words?: RegExp}} Row
 */

const IDENTIFIER = /^[A-Za-z_]{1,48}$/;
const WAIT_WORDS = /(?:try again|retry) (?:in|after) (\d+(?:\.\d+)?) ?s/;

/** The rows are read from top to bottom; the first that fits decides. @type {Row[]} */
const ROWS = [
  {
    type: "upstream-prompt-too-long",
    advice: "The prompt is longer than the model takes. Send less text at once.",
    words:
      /context_length_exceeded|maximum context length|context window|prompt is too long|input is too long|reduce the length of/,
    statuses: (status) => status !== 429,
  },
  {
    type: "upstream-prompt-too-long",
    advice: "The prompt is longer than the model takes. Send less text at once.",
    statuses: (status) => status === 413,
  },
  {
    type: "upstream-quota-spent",
    advice: "The quota or credit of the account is spent. Raise it, or choose another model.",
    words:
      /insufficient_quota|exceeded your current quota|billing|credit balance|insufficient.{0,3}(?:balance|credit|funds)|out of credits|more credits/,
    statuses: (status) => status < 500,
  },
  {
    type: "upstream-quota-spent",
    advice: "The account has no credit left. Add some, or choose another model.",
    statuses: (status) => status === 402,
  },
  {
    type: "upstream-call-refused",
    advice: "The provider's filter refused this text. Change the text, or choose another model.",
    words: /content_filter|content.?policy|moderation|\bflagged\b/,
    statuses: (status) => status < 429,
  },
  {
    type: "upstream-key-refused",
    advice: "Check the key, and whether it may use this model.",
    statuses: (status) => status === 401 || status === 403,
  },
  {
    type: "upstream-model-unknown",
    advice: "It does not know this model, or the key may not use it. Check the model's name and the base URL.",
    words:
      /model_not_found|model.{0,80}(?:not found|does not exist|not exist)|no such model|unknown model|not a valid model|invalid model|not_found_error/,
    statuses: (status) => status < 429,
  },
  {
    type: "upstream-model-unknown",
    advice: "It does not know this model or path. Check the model's name and the base URL.",
    statuses: (status) => status === 404,
  },
  {
    type: "upstream-rate-limited",
    advice: "Ask less at once (maxConcurrency, the adapter's concurrency), or try again later.",
    retryable: true,
    statuses: (status) => status === 429,
  },
  {
    type: "upstream-rate-limited",
    advice: "Ask less at once (maxConcurrency, the adapter's concurrency), or try again later.",
    retryable: true,
    words: /rate.?limit|too many requests/,
    statuses: (status) => status === 200,
  },
  {
    type: "upstream-timeout",
    advice: "Try again, or with a shorter prompt.",
    retryable: true,
    statuses: (status) => [408, 504, 522, 524].includes(status),
  },
  {
    type: "upstream-failed",
    advice: "The provider is overloaded or down. Try again later.",
    retryable: true,
    statuses: (status) => status === 200 || status === 409 || status === 425 || status >= 500,
  },
];
/** @type {Row} */
const OTHERWISE = {
  type: "upstream-call-refused",
  advice: "It refused the request as it is. Choose another model, or check the base URL and the options.",
};

/**
 * @param {string} host of the vendor, for the sentence
 * @param {object} refusal
 * @param {number} refusal.status 200 where the error came inside a reply
 * @param {string} refusal.body
 * @param {string | null} [refusal.retryAfter] the header
 */
export function failureOf(host, { status, body, retryAfter = null }) {
  const text = body.toLowerCase();
  const fits = (/** @type {Row} */ { statuses, words }) =>
    (statuses === undefined || statuses(status)) && (words === undefined || words.test(text));
  const { type, advice, retryable = false } = ROWS.find(fits) ?? OTHERWISE;
  const reported = [status === 200 ? "" : String(status), ...identifiersIn(body)].filter((word) => word !== "");
  const shown = reported.length > 0 ? ` (${reported.join(", ")})` : "";
  return providerError(`${host} refused the call${shown}. ${advice}`, {
    type,
    retryable,
    status: status === 200 ? null : status,
    upstream: host,
    retryAfter: retryable ? secondsOf(retryAfter, text) : null,
  });
}

/**
 * The vendor's `type` and `code` in an error, where they are plain identifiers.
 * @param {string} body
 */
function identifiersIn(body) {
  const { error, ...rest } = fieldsOf(jsonIn(body));
  const { type, code, status } = { ...fieldsOf(rest), ...fieldsOf(error) };
  const words = [type, code, status].filter((word) => typeof word === "string" && IDENTIFIER.test(word));
  return [...new Set(words)].filter((word) => word !== "error");
}

/**
 * @param {string | null} header
 * @param {string} text
 */
function secondsOf(header, text) {
  if (header !== null && /^\s*\d{1,6}(\.\d+)?\s*$/.test(header)) return Number(header);
  const until = header === null ? Number.NaN : Date.parse(header);
  if (!Number.isNaN(until)) return Math.max(0, (until - Date.now()) / 1_000);
  const words = WAIT_WORDS.exec(text);
  return words === null ? null : Number(words[1]);
}
