// @ts-check
// Vendor events: the JSON values of a vendor's reply, whatever form its bytes have.
//
// In: the body of a response. Out: JSON values, each with the name of its event. The forms are told apart by the bytes alone,
// since servers label them wrongly: server-sent events with or without blank lines, one value a line, or one whole value.
// The same rules as server/rlm_server/providers/event_stream.py.

import { received } from "../calls/reply_streams.js";
import { jsonIn } from "../wire/json.js";

/** @typedef {{value: unknown, name: string}} VendorEvent */

/** The value that ends a stream of OpenAI's dialect. */
export const DONE = "[DONE]";
/** Time without a byte after which a value that is whole is taken as one. */
const PAUSE_MS = 1_500;
const WHOLE = /[}\]"]\s*$/;

/** The bytes are in none of the forms. */
export class NotJson extends Error {
  /**
   * @param {string} message
   * @param {{isPage?: boolean, isCut?: boolean}} [facts]
   */
  constructor(message, { isPage = false, isCut = false } = {}) {
    super(message);
    this.isPage = isPage;
    this.isCut = isCut;
  }
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => number} endsAt when the body counts as ended, wherever it is
 * @returns {AsyncGenerator<VendorEvent>}
 */
export async function* vendorEvents(body, endsAt) {
  const decoder = new TextDecoder();
  const bytes = body.getReader();
  const reader = openEventReader();
  let coming = null;
  try {
    for (;;) {
      coming ??= received(bytes.read());
      const left = endsAt() - performance.now();
      if (left <= 0) return;
      const part = await within(coming, Math.min(PAUSE_MS, left));
      if (part === null) {
        yield* reader.pause();
        continue;
      }
      coming = null;
      yield* reader.read(decoder.decode(part.value, { stream: !part.done }));
      if (part.done) return void (yield* reader.end());
    }
  } finally {
    coming?.catch(() => {}); // nobody waits for it any longer
    bytes.cancel().catch(() => {}); // it has failed or is at its end: nothing is left to cancel
  }
}

/**
 * @template T
 * @param {Promise<T>} coming
 * @param {number} milliseconds
 * @returns {Promise<T | null>} null where it does not come in time
 */
async function within(coming, milliseconds) {
  let timer;
  const late = new Promise((/** @type {(value: null) => void} */ resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The state between two pieces of text: the open line, and the open value as `data:` lines or as bare JSON. */
export function openEventReader() {
  let open = "";
  let isAfterCr = false;
  let name = "";
  /** @type {string[]} */
  let data = [];
  /** @type {string[]} */
  let json = [];
  let values = 0;
  let unread = 0;

  /**
   * @param {unknown} value
   * @returns {VendorEvent[]}
   */
  const found = (value) => {
    const event = { value, name };
    values += 1;
    name = "";
    return [event];
  };
  const dispatched = (isAtEnd = false) => {
    const text = data.join("\n").trim();
    data = [];
    if (text !== "" && name === "error") return found(text);
    if (/^[{["]/.test(text))
      throw new NotJson(`of ${text.length} characters is not JSON`, { isCut: isAtEnd && values > 0 });
    return []; // nothing, a comment, or a sign of life
  };
  const dataLine = (/** @type {string} */ line) => {
    data.push(line);
    const text = data.join("\n").trim();
    const value = text.toUpperCase() === DONE ? DONE : WHOLE.test(text) ? valueIn(text) : undefined;
    if (value === undefined) return [];
    data = [];
    return found(value);
  };
  /** One value a line, or one value over many: its last line begins with the bracket that closes it. */
  const jsonLine = (/** @type {string} */ line) => {
    json.push(line);
    const value = json.length > 1 && !/^[}\]]/.test(line) ? undefined : valueIn(json.join("\n"));
    if (value === undefined) return [];
    json = [];
    return found(value);
  };
  const whole = (/** @type {string} */ line) => {
    if (values === 0 && json.length === 0 && line.trimStart().startsWith("<"))
      throw new NotJson("is a web page", { isPage: true });
    if (line.trim().toUpperCase() === DONE && data.length + json.length === 0) return found(DONE);
    if (json.length > 0 || (data.length === 0 && /^\s*[{[]/.test(line))) return jsonLine(line);
    if (line === "") return dispatched();
    const at = line.indexOf(":");
    const field = (at < 0 ? line : line.slice(0, at)).trim().toLowerCase();
    const rest = at < 0 ? "" : line.slice(at + 1);
    if (field === "data") return dataLine(unwrapped(rest));
    if (field === "event") name = rest.trim();
    else if (field === "error" && rest.trim() !== "") {
      name = field;
      return dataLine(rest.trim());
    } else if (!["", "id", "retry"].includes(field)) unread += line.length;
    return [];
  };

  return {
    /**
     * @param {string} text
     * @returns {Generator<VendorEvent>} the events that `text` completes
     */
    *read(text) {
      const kept = isAfterCr && text.startsWith("\n") ? text.slice(1) : text;
      if (text !== "") isAfterCr = text.endsWith("\r");
      const lines = kept.split(/\r\n|\n|\r/);
      lines[0] = open + lines[0];
      open = lines.pop() ?? "";
      for (const line of lines) yield* whole(line);
    },
    /** @returns {Generator<VendorEvent>} the event that is whole although nothing ends its line */
    *pause() {
      const value = WHOLE.test(open) ? valueIn([...json, open].join("\n")) : undefined;
      if (value === undefined) return;
      [json, open] = [[], ""];
      yield* found(value);
    },
    /** @returns {Generator<VendorEvent>} the events that the end completes */
    *end() {
      if (open !== "") yield* whole(open);
      yield* dispatched(true);
      const value = json.length > 0 ? valueIn(json.join("\n")) : undefined;
      if (value !== undefined) return void (yield* found(value));
      const chars = json.join("\n").length;
      if (chars > 0) throw new NotJson(`of ${chars} characters is not JSON`, { isCut: values > 0 });
      if (unread > 0 && values === 0) throw new NotJson(`of ${unread} characters is not JSON`);
    },
  };
}

/** The data of an event; proxies may have wrapped it once more each: `data: data: {...}`. */
function unwrapped(/** @type {string} */ rest) {
  return rest.replace(/^(?: ?data:)+/, "").replace(/^ /, "");
}

const STRINGS_AND_NUMBERS = /"[^"\\]*(?:\\.[^"\\]*)*"|NaN|-?Infinity/gs;
const CONTROLS = /\p{Cc}/gu;

/**
 * JSON as servers write it: with NaN in place of a number, or control characters in strings.
 * @param {string} text
 */
function valueIn(text) {
  const value = jsonIn(text);
  if (value !== undefined) return value ?? undefined;
  const numbered = text.replace(STRINGS_AND_NUMBERS, (part) => (part.startsWith('"') ? part : "null"));
  return jsonIn(numbered) ?? jsonIn(numbered.replace(CONTROLS, escaped)) ?? undefined;
}

function escaped(/** @type {string} */ character) {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
