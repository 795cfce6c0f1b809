// @ts-check
// Evidence lines: the quotes of an answer as a list in text.
//
// In: evidence of a result. Out: a line each, `[1] lease.txt:12 "signed by Ada"`, as the command writes it
// (server/rlm_server/command/evidence_lines.py).

/** @typedef {import("../wire/protocol.js").Evidence} Evidence */
/** @typedef {Pick<Evidence, "quote" | "source" | "status" | "line" | "page" | "sheet" | "difference">} Item */

const SHOWN_CHARS = 100;
/** @type {Record<Evidence["status"], string>} */
const NOTES = {
  found: "",
  elsewhere: "in another source than the model named",
  stitched: "its parts stand apart",
  changed: "not word for word",
  missing: "NOT IN THE CONTEXT",
};

/** @param {Item[]} evidence */
export function evidenceLines(evidence) {
  return evidence.map((item, index) => {
    const chars = [...item.quote.trim().split(/\s+/u).join(" ")];
    const shown = chars.length <= SHOWN_CHARS ? chars.join("") : `${chars.slice(0, SHOWN_CHARS).join("")}...`;
    const label = NOTES[item.status];
    const why = label && item.difference ? `${label}: ${item.difference}` : label || item.difference;
    return `[${index + 1}] ${placeOf(item)} "${shown}"${why ? `  (${why})` : ""}`;
  });
}

/**
 * An answer and the list of its quotes, as Markdown.
 * @param {string} answer
 * @param {Item[]} evidence
 */
export function withEvidence(answer, evidence) {
  if (evidence.length === 0) return answer;
  return `${answer}\n\n## Evidence\n\n${evidenceLines(evidence)
    .map((line) => `- ${line}\n`)
    .join("")}`;
}

/** @param {Item} item */
function placeOf({ source, line, page, sheet }) {
  const name = source || "(no source)";
  if (page !== null) return `${name} page ${page}`;
  if (sheet !== null) return `${name} sheet "${sheet}"`;
  return line === null ? name : `${name}:${line}`;
}
