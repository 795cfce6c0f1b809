import assert from "node:assert/strict";
import { test } from "node:test";

import { evidenceLines, withEvidence } from "../../../worker/log/evidence_lines.js";

const PLACE = { line: null, page: null, sheet: null, difference: null };
const EVIDENCE = [
  { ...PLACE, quote: "by  Ada\nLovelace", source: "a/lease.txt", status: "found", line: 3 },
  { ...PLACE, quote: "lamp 417", source: "book.pdf", status: "elsewhere", line: 9, page: 417 },
  { ...PLACE, quote: "5", source: "t.xlsx", status: "changed", sheet: "2025", difference: '"5" is "6"' },
  { ...PLACE, quote: "x".repeat(200), source: null, status: "missing" },
];

test("quotes are the lines that the command writes", () => {
  assert.deepEqual(evidenceLines(EVIDENCE), [
    '[1] a/lease.txt:3 "by Ada Lovelace"',
    '[2] book.pdf page 417 "lamp 417"  (in another source than the model named)',
    '[3] t.xlsx sheet "2025" "5"  (not word for word: "5" is "6")',
    `[4] (no source) "${"x".repeat(100)}..."  (NOT IN THE CONTEXT)`,
  ]);
});

test("an answer is copied with its quotes, and without any as it is", () => {
  assert.equal(withEvidence("So it is.", []), "So it is.");
  assert.match(
    withEvidence("It was Ada [1].", EVIDENCE),
    /^It was Ada \[1\]\.\n\n## Evidence\n\n- \[1\] a\/lease\.txt:3 /,
  );
  const numbers = [{ text: "17" }, { text: "99" }, { text: "17" }];
  assert.equal(withEvidence("17, 99", [], numbers), "17, 99\n\nIn no output, sub-reply or quote: 17, 99");
  assert.match(withEvidence("17", EVIDENCE, numbers), /CONTEXT\)\n\nIn no output, sub-reply or quote: 17, 99\n$/);
});
