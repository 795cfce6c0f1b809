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

/** Thoughts that stand in the reply's own text: before a closing tag, or behind an opening one that is never closed. */
const THOUGHTS = /^\s*(?:<(?:think|thinking|thought|reasoning)>|\[THINK\])|^(?=[\s\S]*?(?:^|\n)[ \t]*<\/think>)/i;
const THOUGHTS_END = /<\/(?:think|thinking|thought|reasoning)>|\[\/THINK\]/i;

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

/**
 * A reply and the thoughts in front of it.
 *
 * @param {string} text
 * @returns {{thoughts: string, reply: string}}
 */
export function apart(text) {
  const opening = THOUGHTS.exec(text);
  if (opening === null) return { thoughts: "", reply: text };
  const inside = text.slice(opening[0].length);
  const closing = THOUGHTS_END.exec(inside);
  if (closing === null) return { thoughts: inside.trim(), reply: "" };
  return { thoughts: inside.slice(0, closing.index).trim(), reply: inside.slice(closing.index + closing[0].length) };
}

/** @param {string} reply @returns {Segment[]} */
function cutAtFences(reply) {
  /** @type {Segment[]} */
  const cut = [];
  let lines = /** @type {string[]} */ ([]);
  let fence = "";
  const close = () => {
    const text = lines
      .join("\n")
      .replace(/^\s*\n/, "")
      .trimEnd();
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
