// @ts-check
// Evidence lines: the quotes of an answer as a list in text.
//
// In: evidence of a result. Out: a line each, `[1] lease.txt:12 "signed by Ada"`, as the command writes it
// (server/rlm_server/headless/evidence_lines.py).

/** @typedef {import("../wire/protocol.js").Evidence} Evidence */
/** @typedef {Pick<Evidence, "quote" | "source" | "status" | "line" | "page" | "sheet" | "difference">} Item */

const SHOWN_CHARS = 100;
const SHOWN_NUMBERS = 20;
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
 * An answer, the list of its quotes, and the numbers that nobody computed, as Markdown.
 * @param {string} answer
 * @param {Item[]} evidence
 * @param {readonly {text: string}[]} [numbers]
 */
export function withEvidence(answer, evidence, numbers = []) {
  const lines = evidenceLines(evidence).map((line) => `- ${line}\n`);
  const quotes = lines.length === 0 ? "" : `\n\n## Evidence\n\n${lines.join("")}`;
  const texts = [...new Set(numbers.map(({ text }) => text))];
  const loose =
    texts.length === 0 ? "" : `\n\nIn no output, sub-reply or quote: ${texts.slice(0, SHOWN_NUMBERS).join(", ")}`;
  const more = texts.length > SHOWN_NUMBERS ? ` and ${texts.length - SHOWN_NUMBERS} more` : "";
  return `${answer}${quotes.trimEnd()}${loose}${more}${quotes === "" ? "" : "\n"}`;
}

/** @param {Item} item */
function placeOf({ source, line, page, sheet }) {
  const name = source || "(no source)";
  if (page !== null) return `${name} page ${page}`;
  if (sheet !== null) return `${name} sheet "${sheet}"`;
  return line === null ? name : `${name}:${line}`;
}
