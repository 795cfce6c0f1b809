// @ts-check
// Recorded calls: the events of a log -> its model calls, each with its whole messages and its outcome.
//
// In: events in their order, of one run or of a tree. Out: the calls in the order in which they left. A log holds the new
// messages of a root call only; this module alone puts the conversation together again.

import { providerError, toWireError } from "../wire/errors.js";
import { openHash } from "../wire/text_hash.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Message} Message
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/types.d.ts").Kind} Kind
 * @typedef {import("../wire/types.d.ts").Outcome} Outcome
 * @typedef {Event & {type: "call_started"}} CallStarted
 */

/**
 * One call; its `outcome` is null where the log has none: the call was stopped first, or the log ends before it.
 * @typedef {{number: number, path: number[], kind: Kind, batch: number, call: RequestedCall, outcome: Outcome | null,
 *   isUnused: boolean}} RecordedCall `isUnused`: no code of the run asked for it
 */

/**
 * @param {Event[]} events
 * @returns {RecordedCall[]}
 */
export function recordedCalls(events) {
  /** @type {Map<number, RecordedCall>} */
  const calls = new Map();
  /** @type {Map<string, Message[]>} by the path of their run */
  const conversations = new Map();
  for (const event of events) {
    if (event.type === "call_started") calls.set(event.call, startedCall(event, conversations));
    if (event.type !== "call_finished") continue;
    const recorded = calls.get(event.call);
    if (recorded !== undefined) recorded.outcome ??= outcomeOf(event);
  }
  return [...calls.values()];
}

/**
 * @param {CallStarted} started
 * @param {Map<string, Message[]>} conversations
 * @returns {RecordedCall}
 */
function startedCall(started, conversations) {
  const { call: number, path, kind, batch, model, kept, messages: added, images = [], ahead } = started;
  const run = path.join(".");
  const messages = kind === "root" ? [...(conversations.get(run) ?? []).slice(0, kept), ...added] : added;
  if (kind === "root") conversations.set(run, messages);
  const pictures = images.map(({ data: base64, ...image }) => ({ ...image, base64 }));
  const call = { model, messages, schema: null, images: null, ...(pictures.length === 0 ? {} : { pictures }) };
  return { number, path, kind, batch, call, outcome: null, isUnused: ahead === "unused" };
}

/**
 * @param {Event & {type: "call_finished"}} event
 * @returns {Outcome | null}
 */
function outcomeOf(event) {
  const { text, model, usage, finish_reason, reasoning, error, stopped } = event;
  if (stopped !== null) return null;
  if (text === null) return { error: toWireError(providerError(error ?? "")) };
  return { completion: { text, model, usage, finish_reason, reasoning } };
}

/** Hashes of messages, which calls of one conversation share. @type {WeakMap<object, string>} */
const hashes = new WeakMap();

/**
 * The request of a call as a short key: equal requests have equal keys. The system message is left out: it is this version's
 * own text, and a log of another version must still be answered.
 * @param {Kind} kind
 * @param {Pick<RequestedCall, "model" | "messages"> & {pictures?: Array<{sha256: string}>}} requestedCall
 */
export function keyOf(kind, { model, messages, pictures = [] }) {
  const compared = messages.filter(({ role }) => role !== "system").map(hashOf);
  const images = pictures.map(({ sha256 }) => sha256);
  return JSON.stringify([kind === "root", model, compared.join(" "), ...images]); // a compaction was logged as a sub-call in earlier versions
}

/**
 * Whether two calls have the same messages, but for the system's.
 * @param {Pick<RequestedCall, "messages">} one
 * @param {Pick<RequestedCall, "messages">} other
 */
export function hasSameMessages(one, other) {
  const [own, others] = [one, other].map(({ messages }) => messages.filter(({ role }) => role !== "system"));
  return (
    own.length === others.length &&
    own.every(({ role, content }, at) => role === others[at].role && content === others[at].content)
  );
}

/** @param {Message} message */
function hashOf(message) {
  const known = hashes.get(message);
  if (known !== undefined) return known;
  const hash = openHash();
  hash.add(`${message.role}:`);
  hash.add(message.content);
  const made = hash.end();
  hashes.set(message, made);
  return made;
}
