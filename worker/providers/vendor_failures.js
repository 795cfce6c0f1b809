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
 * @typedef {{type: string, advice: string, retryable?: boolean, wait?: number, statuses?: (status: number) => boolean, words?: RegExp}} Row
 */

const IDENTIFIER = /^(?:[A-Za-z_]{1,48}|\d{1,6})$/;
/** A wait: `35s`, `250ms`, `7m12.5s`, `2 minutes`. */
const WAIT = /(?:(\d+) ?h[a-z]*[ ,]*)?(?:(\d+) ?m(?!s|il)[a-z]*[ ,]*)?(?:(\d+(?:\.\d+)?) ?(m|milli)?s[a-z]*)?/.source;
const WAIT_WORDS = new RegExp(
  `(?:retrydelay"?\\s*:\\s*"|(?:try again|retry) (?:in|after) |\\bwait (?:for )?)(?=\\d)${WAIT}`,
);
const WAIT_FIELD = /"retry_?after(_?ms|_?seconds)?":"?(\d+(?:\.\d+)?)"?[,}]/;
const WAIT_HEADER = new RegExp(`^${WAIT}$`);
const DATE = /^(?:[a-z]{3}|\d{4}-\d\d-\d\dt)/i;
const MAX_WAIT_SECONDS = 1e6;
const SEND_LESS = "The prompt is longer than the model takes. Send less text at once.";
const ASK_LESS = "Ask less at once (maxConcurrency, the adapter's concurrency), or try again later.";
const GATEWAY = "A gateway before the model gave up. Send less text at once, or try again.";
/** @type {(...known: number[]) => (status: number) => boolean} */
const of =
  (...known) =>
  (status) =>
    known.includes(status);
/** @type {(...known: number[]) => (status: number) => boolean} */
const ofServer =
  (...known) =>
  (status) =>
    status >= 500 || known.includes(status);

/** The rows are read from top to bottom; the first that fits decides; 200 is an error inside a reply. @type {Row[]} */
const ROWS = [
  {
    type: "upstream-failed",
    advice: "The model wrote something that its server could not read. Try again.",
    retryable: true,
    words: /failed_generation|tool_use_failed/,
    statuses: of(200, 400),
  },
  {
    type: "upstream-prompt-too-long",
    advice: `${SEND_LESS} One request exceeds the tokens a minute of this account.`,
    words: /request too large for .*(?:tpm|tokens per min)/,
  },
  {
    type: "upstream-prompt-too-long",
    advice: SEND_LESS,
    words:
      /context_length_exceeded|maximum context length|maximum prompt length|maximum input length|context length of only|context limit|context window|available context size|exceed_context_size|prompt is too long|input is too long|too long to fit|max_prompt_tokens_exceeded|prompt token count of \d+ exceeds|input token count|range of input length|string_above_max_length|context_?window_?exceeded|prompt length.{0,40}(?:exceeds|greater than)|max_seq_len|maximum sequence length|too many tokens|prompt too long|longer than the model's context|exceeded max context|input tokens exceed|tokens \+ `?max_new_tokens`? must be|reduce the length of the (?:messages|prompt|input)|prompt.{0,40}exceeds.{0,40}(?:context|max_model_len)|longer than the maximum model length|larger than the max context size|greater than the context length|must have less than \d+ tokens|exceeded model token limit|request_too_large|tokens_limit_reached|reached context length|超长/,
    statuses: (status) => status !== 402 && status !== 429,
  },
  { type: "upstream-prompt-too-long", advice: SEND_LESS, statuses: of(413) },
  {
    type: "upstream-rate-limited",
    advice: ASK_LESS,
    retryable: true,
    words: /per ?minute|per min\b|\b[rt]pm\b|\/ ?minute|byminute|per 60 ?s/,
    statuses: of(429),
  },
  {
    type: "upstream-quota-spent",
    advice: "The quota or credit of the account is spent. Raise it, or choose another model.",
    words:
      /insufficient_quota|exceeded your current quota|quota.?exceeded|exceeded.{0,30}quota|billing_hard_limit|credit balance|insufficient.{0,3}(?:balance|credit|funds)|balance is (?:not enough|insufficient)|not.enough.(?:balance|credit)|overdue.(?:balance|payment|bill)|credit.?limit|key limit exceeded|exhausted.{0,20}quota|free tier.{0,40}exhausted|more credits|out of credits|available credits|spending limit|payment required|per[ -]?day|daily limit|usage limit|monthly limit|\b[rt]pd\b|billing_not_active|budget_exceeded|account is not active|billing_error|requires? billing|plan and billing|call volume quota|credits are depleted|any credits|credits (?:have )?expired|calls ?\/ ?month|per month|byday|per 86400 ?s|is suspended|arrearage|欠费|余额不足/,
    statuses: of(200, 400, 401, 402, 403, 404, 412, 429),
  },
  {
    type: "upstream-quota-spent",
    advice: "The account has no credit left. Add some, or choose another model.",
    statuses: of(402),
  },
  {
    type: "upstream-call-refused",
    advice: "The provider does not serve this country or region. Choose another provider.",
    words:
      /unsupported_country|country, region|not (?:available|supported) in your (?:country|region)|location is not supported|unsupported_region/,
  },
  {
    type: "upstream-key-refused",
    advice: "Check the key.",
    words:
      /api key not valid|api_key_invalid|invalid_api_key|(?:invalid|incorrect|missing) (?:x-)?api.?key|authentication_error|permission_error|no auth credentials|invalid authentication|login fail/,
    statuses: of(200, 400, 401, 403),
  },
  {
    type: "upstream-call-refused",
    advice: "The provider's filter refused this text. Change the text, or choose another model.",
    words:
      /content_filter|content.?management|content.?policy|moderation|\bflagged\b|data_inspection_failed|prohibited_content|responsible.?ai|\bsafety\b/,
    statuses: of(200, 400, 403, 422, 451),
  },
  {
    type: "upstream-call-refused",
    advice: "A firewall or proxy before the provider refused the call. Check the network and the base URL first.",
    words: /^\s*<|^error code: 10\d\d/,
    statuses: of(401, 403),
  },
  {
    type: "upstream-call-refused",
    advice: "The vendor serves this model only by another of its APIs. Choose another model.",
    words:
      /only supported in v1\/\w+|not a chat model|not supported in the v1\/chat\/completions|use the responses api/,
  },
  {
    type: "upstream-call-refused",
    advice: "The privacy settings of the account leave no provider of this model. Change them.",
    words: /data policy/,
    statuses: of(404),
  },
  {
    type: "upstream-model-unknown",
    advice: "It does not know this model, or the key may not use it. Check the model's name and the base URL.",
    words:
      /model_not_found|model.{0,80}(?:not found|does not exist|not exist|deprecated|decommissioned|retired|no longer available)|no such model|unknown model|not a valid model|invalid model|model_not_available|no models? loaded|no endpoints found|model_not_supported|not_found_error|unavailable.model|model identifier is invalid|does not support chat|end of (?:its )?life|model.disabled|模型不存在|unexpected endpoint/,
    statuses: of(200, 400, 403, 404, 410, 422),
  },
  {
    type: "upstream-failed",
    advice: "The model does not fit into the memory of its server. Choose a smaller one.",
    words: /requires more system memory|cuda out of memory|insufficient memory/,
    statuses: ofServer(200),
  },
  {
    type: "upstream-failed",
    advice: "The model is still loading. Try again in a minute.",
    retryable: true,
    wait: 5,
    words: /loading model|model.{0,40}\bloading\b|currently loading|warming up|model is not ready|starting up/,
    statuses: ofServer(200, 400, 425),
  },
  {
    type: "upstream-key-refused",
    advice: "Check the key, and whether it may use this model.",
    statuses: of(401, 403),
  },
  {
    type: "upstream-timeout",
    advice: "Try again, or with a shorter prompt.",
    retryable: true,
    statuses: of(408),
  },
  { type: "upstream-timeout", advice: GATEWAY, retryable: true, statuses: of(504, 522, 524) },
  {
    type: "upstream-timeout",
    advice: GATEWAY,
    retryable: true,
    words: /gateway time-?out|upstream request timeout|timeout_error/,
    statuses: ofServer(200),
  },
  {
    type: "upstream-failed",
    advice: "The provider is overloaded. Try again later.",
    retryable: true,
    words:
      /overloaded|over capacity|no ?capacity|capacity.exceeded|server is busy|currently unavailable|high demand|high traffic|model is not ready/,
    statuses: ofServer(200, 429),
  },
  { type: "upstream-rate-limited", advice: ASK_LESS, retryable: true, statuses: of(429) },
  {
    type: "upstream-rate-limited",
    advice: ASK_LESS,
    retryable: true,
    words: /rate.?limit|too many requests/,
    statuses: of(200),
  },
  {
    type: "upstream-failed",
    advice: "The provider is overloaded or down. Try again later.",
    retryable: true,
    statuses: ofServer(200, 409, 424, 425, 498, 499),
  },
  {
    type: "upstream-call-refused",
    advice: "Redirects are not followed. Check the base URL.",
    statuses: (status) => status < 400,
  },
  {
    type: "upstream-model-unknown",
    advice: "It does not know this model or path. Check the model's name and the base URL.",
    statuses: of(404),
  },
  {
    type: "upstream-call-refused",
    advice: "It refused a parameter of the request. Choose another model, or leave the option out.",
    words: /unsupported.{0,3}(?:parameter|value)|unrecognized|extra_forbidden|extra inputs|not (?:supported|permitted)/,
    statuses: (status) => status >= 400 && status < 500,
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
 * @param {number} refusal.status 200 where the error came inside a reply, and quotes none
 * @param {string} refusal.body
 * @param {Headers} [refusal.headers]
 * @param {boolean} [refusal.isInReply]
 */
export function failureOf(host, { status, body, headers, isInReply = status === 200 }) {
  const value = jsonIn(body);
  const text = (value === undefined ? body : JSON.stringify(value)).toLowerCase();
  const fits = (/** @type {Row} */ { statuses, words }) =>
    (statuses === undefined || statuses(status)) && (words === undefined || words.test(text));
  const { type, advice, retryable = false, wait = null } = ROWS.find(fits) ?? OTHERWISE;
  const reported = [isInReply ? "" : String(status), ...identifiersIn(value)].filter((word) => word !== "");
  const shown = reported.length > 0 ? ` (${[...new Set(reported)].join(", ")})` : "";
  const retryAfter = retryable ? (secondsOf(headers) ?? secondsIn(text) ?? wait) : null;
  const asks = retryAfter === null || retryAfter === wait ? "" : ` It asks to wait ${Number(retryAfter.toFixed(2))} s.`;
  return providerError(`${host} refused the call${shown}.${asks} ${advice}`, {
    type,
    retryable,
    status: isInReply ? null : status,
    upstream: host,
    retryAfter,
  });
}

/**
 * The failure that a JSON value reports in place of a reply, or null.
 * @param {string} host
 * @param {unknown} value
 * @param {string} name of the server-sent event that carried it
 */
export function failureIn(host, value, name) {
  const isOne = Array.isArray(value) ? value.some(isError) : isError(value);
  if (name !== "error" && !isOne) return null;
  const quoted = [...objectsIn(value)].flatMap((facts) => STATUS_FIELDS.map((field) => Number(facts[field])));
  const status = quoted.find((number) => Number.isInteger(number) && number >= 400 && number < 600) ?? 200;
  return failureOf(host, { status, body: JSON.stringify(value), isInReply: true });
}

const STATUS_FIELDS = ["status", "status_code", "statusCode", "code", "http_status"];
const ERROR_FIELDS = ["error", "error_type", "error_message", "error_msg", "errors", "Error", "err", "fault"];
/** Objects beside a reply, and the field that says that there is none. */
const ERRORS_WITHIN = [
  ["x_groq", "error"],
  ["base_resp", "status_code"],
  ["ResponseMetadata", "Error"],
];
const REPLY_FIELDS = ["choices", "content", "message_id", "delta", "usage", "done"];

/**
 * Whether a value is an error, in one of the forms of the vendors.
 * @param {unknown} value
 */
function isError(value) {
  const fields = fieldsOf(value);
  const { type, object, status } = fields;
  const isGiven = (/** @type {unknown} */ part) => Boolean(part) && !(typeof part === "object" && isEmpty(part));
  if (ERROR_FIELDS.some((name) => isGiven(fields[name])) || type === "error" || object === "error") return true;
  if (ERRORS_WITHIN.some(([name, field]) => isGiven(fieldsOf(fields[name])[field]))) return true;
  if (choicesOf(fields).some(({ error }) => isGiven(error))) return true;
  if (REPLY_FIELDS.some((name) => name in fields)) return false;
  const isProblem = typeof status === "number" && status >= 400;
  return isProblem || ["detail", "message", "Message", "msg"].some((name) => typeof fields[name] === "string");
}

/** @param {Record<string, unknown>} fields */
function choicesOf({ choices }) {
  return Array.isArray(choices) ? choices.map(fieldsOf) : [];
}

/** @param {unknown} value */
function isEmpty(value) {
  return Object.keys(fieldsOf(value)).length === 0;
}

/**
 * The error object itself before the one around it, however it is wrapped.
 * @param {unknown} value
 * @returns {Generator<Record<string, unknown>>}
 */
function* objectsIn(value) {
  if (Array.isArray(value)) return void (yield* objectsIn(value[0]));
  if (typeof value !== "object" || value === null) return;
  const fields = fieldsOf(value);
  for (const name of ["error", "errors", "detail", "base_resp", "Error", "fault", "ResponseMetadata"])
    yield* objectsIn(fields[name]);
  for (const { error } of choicesOf(fields).slice(0, 1)) yield* objectsIn(error);
  yield fields;
}

/**
 * The vendor's `type` and `code` in an error, where they are plain identifiers.
 * @param {unknown} value
 */
function identifiersIn(value) {
  const words = [...objectsIn(value)].flatMap(({ type, code, status }) => [type, code, status]).map(String);
  return [...new Set(words)].filter((word) => IDENTIFIER.test(word) && !["error", "undefined", "null"].includes(word));
}

/** @param {Headers | undefined} headers */
function secondsOf(headers) {
  const milliseconds = numberIn(headers?.get("retry-after-ms"));
  if (milliseconds !== null) return milliseconds / 1_000;
  const header = (headers?.get("retry-after") ?? "").replaceAll(/^[ "]+|[ "]+$/g, "");
  const seconds = numberIn(header.split(",")[0]);
  if (seconds !== null) return seconds;
  const wait = WAIT_HEADER.exec(header.toLowerCase());
  if (wait !== null && header !== "") return secondsOfWait(wait);
  const until = DATE.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(until) ? null : Math.max(0, (until - Date.now()) / 1_000);
}

/** @param {string | null | undefined} text */
function numberIn(text) {
  const number = /^\s*\d{1,9}(\.\d+)?\s*$/.test(text ?? "") ? Number(text) : MAX_WAIT_SECONDS;
  return number < MAX_WAIT_SECONDS ? number : null;
}

/**
 * A wait in words: `35s`, `250ms`, `7m12.5s`, `2 minutes`.
 * @param {string} text
 */
function secondsIn(text) {
  const words = WAIT_WORDS.exec(text);
  if (words !== null) return secondsOfWait(words) || null;
  const field = WAIT_FIELD.exec(text);
  return field === null ? null : Number(field[2]) / (/ms$/.test(field[1] ?? "") ? 1_000 : 1);
}

/** @param {RegExpExecArray} words */
function secondsOfWait(words) {
  const [hours, minutes, seconds] = [words[1], words[2], words[3]].map((word) => Number(word ?? 0));
  return hours * 3_600 + minutes * 60 + seconds / (words[4] === undefined ? 1 : 1_000);
}
