// @ts-check
/**
 * A root model's reply, cut for showing into prose and code. In: the reply and its blocks. Out: segments in reading
 * order, each block at its position. Only for display: rlm_core/parse.py decides which code runs.
 */

/** @typedef {import("./types/run.js").BlockView} BlockView */
/**
 * @typedef {object} Segment
 * @property {"prose" | "code"} kind
 * @property {string} text
 * @property {BlockView | null} block the block that ran this code; `null` when it has not (yet)
 */

const OPENING = /^[ \t]*(`{3,}|~{3,})[ \t]*(?:repl|python|py)\b[^\n]*$/i;

/**
 * @param {string} reply
 * @param {readonly BlockView[]} blocks
 * @returns {Segment[]}
 */
export function segments(reply, blocks) {
  const cut = cutAtFences(reply);
  const left = [...blocks];
  for (const segment of cut) {
    const first = left[0];
    if (segment.kind === "code" && first && isSame(segment.text, first.code)) segment.block = left.shift() ?? null;
  }
  return [...cut, ...left.map((block) => /** @type {Segment} */ ({ kind: "code", text: block.code, block }))];
}

/** @param {string} reply @returns {Segment[]} */
function cutAtFences(reply) {
  /** @type {Segment[]} */
  const cut = [];
  let lines = /** @type {string[]} */ ([]);
  let fence = "";
  const close = () => {
    const text = lines.join("\n").replace(/^\s*\n|\s+$/g, "");
    if (text) cut.push({ kind: fence ? "code" : "prose", text, block: null });
    lines = [];
  };
  for (const line of reply.split("\n")) {
    const opening = fence ? null : OPENING.exec(line)?.[1];
    const isClosing = fence !== "" && line.trim().startsWith(fence) && /^[ \t]*([`~])\1*[ \t]*$/.test(line);
    if (!opening && !isClosing) {
      lines.push(line);
      continue;
    }
    close();
    fence = opening ?? "";
  }
  close();
  return cut;
}

/** The same code, indentation of the fence aside. @param {string} one @param {string} other */
function isSame(one, other) {
  return one.replace(/\s+/g, "") === other.replace(/\s+/g, "");
}
