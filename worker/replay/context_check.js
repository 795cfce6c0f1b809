// @ts-check
// Context check: whether a run that is made from a log has the contexts of the recorded one.
//
// In: fingerprints, of the log and of the worker's contexts now. Out: an error that names the context which differs.
// A log holds no context, so that it can be shared; only type, size and SHA-256.

import { configError, replayError } from "../wire/errors.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {Event & {type: "run_started"}} RunStarted
 * @typedef {RunStarted["contexts"][number]} Fingerprint
 */

const COMPARED = ["type", "size", "sha256", "sha256_of_samples"];
const SHOWN_DIGITS = 16;

/**
 * @param {Event[]} events
 * @returns {RunStarted} the beginning of the recorded run
 */
export function startOf(events) {
  const [started] = events;
  if (started?.type !== "run_started")
    throw configError("the log does not begin with run_started: it is no whole run.");
  return started;
}

/**
 * @param {RunStarted} recorded
 * @param {RunStarted} now
 * @param {number} count of the caller's contexts: without one, the question is fingerprinted
 */
export function checkContexts(recorded, now, count) {
  const how = contextsDiffer(recorded.contexts, now.contexts, count);
  return how === null ? null : replayError(`the context differs: ${how}. Give the same as for the recorded run.`);
}

/**
 * @param {Fingerprint[]} recorded none where the log is of another package: then nothing can be compared
 * @param {Fingerprint[]} now
 * @param {number} count
 * @returns {string | null}
 */
function contextsDiffer(recorded, now, count) {
  if (recorded.length === 0) return null;
  if (recorded.length !== now.length) return `recorded were ${listed(recorded)}, given are ${listed(now)}`;
  const at = recorded.findIndex((one, index) => COMPARED.some((name) => one[name] !== now[index][name]));
  if (at === -1) return null;
  if (count === 0) return `recorded was ${described(recorded[at])}; none is given`;
  return `recorded was ${described(recorded[at])}; given is ${described(now[at])}`;
}

/** @param {Fingerprint[]} contexts */
function listed(contexts) {
  return `${contexts.length} (${contexts.map(({ name }) => name).join(", ")})`;
}

/** @param {Fingerprint} fingerprint */
function described({ name, type, size, sha256, sha256_of_samples: samples }) {
  const hash = String(sha256 ?? samples ?? "not known").slice(0, SHOWN_DIGITS);
  return `"${name}" (${type}, size ${size ?? "not known"}, SHA-256${samples ? " of samples" : ""} ${hash})`;
}
