// @ts-check
/**
 * Paint over the text of a source: which of its places left, were found, or were meant. In: a part of the text, and places
 * in bytes. Out: its lines, each cut into pieces that are painted alike. Nothing is drawn.
 */

/** @typedef {import("./source_search.js").Place} Place */
/** @typedef {"sent" | "hit" | "target"} Kind */
/** @typedef {Place & {kind: Kind, to: number, calls: string}} Paint `to` is the number of the receiver, and `calls` which calls carried it */
/** @typedef {{text: string, paints: readonly Paint[]}} Piece */

/**
 * The lines of a part.
 *
 * @param {import("./source_text.js").Part} part
 * @param {readonly Paint[]} paints
 * @returns {Piece[][]}
 */
export function paintedLines({ from, to, bytes }, paints) {
  const own = paints.filter(({ byteStart, byteEnd }) => byteEnd > from && byteStart < to);
  const edges = [...new Set(own.flatMap(({ byteStart, byteEnd }) => [byteStart, byteEnd]))].sort((a, b) => a - b);
  const decoder = new TextDecoder();
  const piece = (/** @type {number} */ start, /** @type {number} */ end) => ({
    text: decoder.decode(bytes.subarray(start - from, end - from)).replace(/\r$/, ""),
    paints: own.filter(({ byteStart, byteEnd }) => byteStart <= start && byteEnd >= end),
  });
  const lines = [];
  for (let at = from, edge = 0; at < to; ) {
    const newline = bytes.indexOf(10, at - from);
    const end = newline === -1 ? to : from + newline;
    const pieces = [];
    while (edge < edges.length && Number(edges[edge]) <= at) edge += 1;
    for (let start = at; start < end || pieces.length === 0; ) {
      const next = Math.min(end, edges[edge] ?? end);
      pieces.push(piece(start, next));
      if (next < end) edge += 1;
      start = next;
      if (start === end) break;
    }
    lines.push(pieces);
    at = end + 1;
  }
  return lines;
}

/**
 * What left of one source: the spans of each receiver, those that touch made one.
 *
 * @param {readonly (import("/rlm/rlm.js").Span & {call: number})[]} spans
 * @param {(call: number) => string} receiverOf
 * @returns {{receivers: string[], paints: Paint[]}}
 */
export function sentPaints(spans, receiverOf) {
  /** @type {Map<string, {byteStart: number, byteEnd: number, calls: Set<number>}[]>} */
  const byReceiver = new Map();
  const sorted = [...spans].sort((one, other) => one.byte_start - other.byte_start);
  for (const { byte_start: byteStart, byte_end: byteEnd, call } of sorted) {
    const receiver = receiverOf(call);
    const apart = byReceiver.get(receiver) ?? [];
    byReceiver.set(receiver, apart);
    const last = apart.at(-1);
    if (last !== undefined && byteStart <= last.byteEnd) {
      last.byteEnd = Math.max(last.byteEnd, byteEnd);
      last.calls.add(call);
    } else apart.push({ byteStart, byteEnd, calls: new Set([call]) });
  }
  const receivers = [...byReceiver.keys()];
  const paints = receivers.flatMap((receiver, to) =>
    (byReceiver.get(receiver) ?? []).map(({ calls, ...place }) => ({
      ...place,
      kind: /** @type {const} */ ("sent"),
      to,
      calls: named(calls),
    })),
  );
  return { receivers, paints: paints.sort((one, other) => one.byteStart - other.byteStart) };
}

const MOST_CALLS = 12;

/** "calls 2, 3 and 40 more" @param {Set<number>} calls */
function named(calls) {
  const numbers = [...calls].sort((one, other) => one - other).map((call) => String(call + 1));
  const more = numbers.length > MOST_CALLS ? ` and ${numbers.length - MOST_CALLS} more` : "";
  return `${numbers.length === 1 ? "call" : "calls"} ${numbers.slice(0, MOST_CALLS).join(", ")}${more}`;
}
