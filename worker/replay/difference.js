// @ts-check
// Difference: the events of a replay compared with those of its recording.
//
// In: both, in their order. Out: the first difference as a sentence with its position, or null. Compared are code, output,
// replies and endings; not times, numbers of the log and notices.

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Json} Json
 * @typedef {{iteration?: number, block?: number}} Where
 * @typedef {{[name: string]: Json}} Facts
 */

const SHOWN_CHARS = 60;
const BEFORE_CHARS = 15;

/**
 * Compared facts by type of event: names for the sentence, and values.
 * @type {{[type: string]: (event: any) => Facts}}
 */
const COMPARED = {
  run_started: ({ question }) => ({ "the question": question }),
  iteration_started: ({ iteration }) => ({ "the iteration": iteration }),
  block_started: ({ iteration, block, code }) => ({ "the iteration": iteration, "the block": block, "its code": code }),
  block_finished: ({ observation: { stdout, stdout_chars, value, error }, partial }) => ({
    "what it printed": stdout,
    "how much it printed": stdout_chars,
    "its value": value,
    "its error": error,
    "the answer so far": partial,
  }),
  iteration_finished: ({ reply, blocks }) => ({ "the reply": reply, "the number of blocks": blocks }),
  run_finished: ({ stopped_by, answer, iterations, value = null, evidence = [] }) => ({
    "what ended it": stopped_by,
    "the answer": answer,
    "its value": value,
    "its evidence": evidence.map(placeOf).join("; "),
    "the number of iterations": iterations,
  }),
};
/** @param {import("../wire/protocol.js").Evidence} evidence */
function placeOf({ quote, source, status, start, end }) {
  return `${JSON.stringify(quote)} ${status} in ${source} from ${start} to ${end}`;
}

const STOPPED_FROM_OUTSIDE = ["cancelled", "denied", "max_seconds", "worker_lost"];
const TREE_LIMITS = ["max_sub_calls", "max_input_tokens", "max_output_tokens", "max_cost"];

/** @param {Event[]} events */
export function openComparison(events) {
  const runs = grouped(
    events.filter(({ type }) => Object.hasOwn(COMPARED, type)),
    ({ path }) => `${path}`,
  );
  /** @type {Map<string, Event[]>} events that each run has not reached yet */
  const expected = new Map();
  const cut = stoppedIn(runs);
  for (const [path, own] of runs) expected.set(path, cut.has(path) ? beforeTheCut(own) : own);
  /** @type {Map<string, Where>} */
  const positions = new Map();

  /** @param {number[]} path */
  const isOver = (path) => cut.has(`${path}`) && expected.get(`${path}`)?.length === 0;

  return {
    isWhole: !cut.has(""),
    /** The recording's end; null when it has none. */
    ending: endingOf(runs.get("") ?? []),
    /**
     * Whether there was such a run: a child may be stopped before it begins.
     * @param {number[]} path
     */
    isKnown: (path) => runs.has(`${path}`),
    /** Whether a run that was stopped is where it was stopped. */
    isOver,
    /**
     * Whether `event` lies beyond the recording of such a run.
     * @param {Event} event
     */
    isBeyond: ({ type, path }) => Object.hasOwn(COMPARED, type) && isOver(path),
    /**
     * @param {Event} event
     * @returns {string | null} how the next event of a run differs from the recorded one
     */
    differs(event) {
      if (!Object.hasOwn(COMPARED, event.type)) return null;
      const key = `${event.path}`;
      if (event.type !== "run_started" && event.type !== "run_finished")
        positions.set(key, /** @type {Where} */ (event));
      const recorded = expected.get(key)?.shift();
      if (recorded === undefined) return "the recording ends before it, and the run goes on";
      if (recorded.type !== event.type) return `${event.type} came where ${recorded.type} was recorded`;
      return firstDifference(COMPARED[event.type](recorded), COMPARED[event.type](event));
    },
    /** @returns {string | null} the run whose recording has events left, as a sentence */
    left() {
      /** @param {string} path */
      const inCut = (path) => [...cut].some((above) => above === "" || `${path},`.startsWith(`${above},`));
      const [path] = [...expected].find(([path, events]) => events.length > 0 && !inCut(path)) ?? [];
      return path === undefined
        ? null
        : `${path === "" ? "the run" : `child run ${dotted(path)}`} did not go on as recorded`;
    },
    /**
     * "iteration 2, block 1", both counted from 1.
     * @param {number[]} path
     */
    position: (path) => positionName(path, positions.get(`${path}`) ?? {}),
  };
}

/**
 * Map.groupBy, which node 20 does not have.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @returns {Map<string, T[]>}
 */
export function grouped(items, keyOf) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/**
 * @param {Event[]} own
 * @returns {(Event & {type: "run_finished"}) | null}
 */
function endingOf(own) {
  const last = own[own.length - 1];
  return last?.type === "run_finished" ? last : null;
}

/**
 * The runs that were stopped from outside, at no position of theirs: a child's share of a limit stops the whole tree.
 * @param {Map<string, Event[]>} runs
 */
function stoppedIn(runs) {
  const stopped = new Set();
  for (const [path, own] of runs) {
    const ending = endingOf(own);
    if (ending === null || STOPPED_FROM_OUTSIDE.includes(ending.stopped_by)) stopped.add(path);
  }
  const root = endingOf(runs.get("") ?? []);
  if (stopped.size > 0 && TREE_LIMITS.includes(root?.stopped_by ?? "")) stopped.add("");
  return stopped;
}

/**
 * The events of a run that was stopped: its last block may have been at work when it was.
 * @param {Event[]} own
 */
function beforeTheCut(own) {
  const events = own.filter(({ type }) => type !== "run_finished");
  const last = events.findLast(({ type }) => type === "block_started" || type === "iteration_started");
  return last?.type === "block_started" ? events.slice(0, events.indexOf(last)) : events;
}

/**
 * @param {Facts} recorded
 * @param {Facts} now
 * @returns {string | null}
 */
function firstDifference(recorded, now) {
  const name = Object.keys(recorded).find((key) => recorded[key] !== now[key]);
  return name === undefined ? null : `${name} differs${howTexts(recorded[name], now[name])}`;
}

/**
 * How two values differ, as the end of a sentence.
 * @param {Json} recorded
 * @param {Json} now
 */
export function howTexts(recorded, now) {
  const [one, other] = [recorded, now].map((value) => (typeof value === "string" ? value : null));
  if (one === null || other === null) return `: recorded ${shown(recorded)}, now ${shown(now)}`;
  const at = firstUnlike(one, other);
  const from = Math.max(0, at - BEFORE_CHARS);
  return ` from character ${at + 1} on: recorded ${shown(one.slice(from))}, now ${shown(other.slice(from))}`;
}

/**
 * @param {string} one
 * @param {string} other
 */
function firstUnlike(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

/** @param {Json} value */
function shown(value) {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}

/** @param {string} path */
function dotted(path) {
  return path.replaceAll(",", ".");
}

/**
 * @param {number[]} path
 * @param {Where} where
 */
function positionName(path, { iteration, block }) {
  return [
    path.length > 0 && `child run ${path.join(".")}`,
    iteration !== undefined && `iteration ${iteration}`,
    block !== undefined && `block ${block + 1}`,
  ]
    .filter(Boolean)
    .join(", ");
}
