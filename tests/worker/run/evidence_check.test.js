import assert from "node:assert/strict";
import { test } from "node:test";

import { checkedEvidence, level } from "../../../worker/run/evidence_check.js";

const TEXT = "Der Turm: „Kein\nHund“ — darf hinein, 🦊 auch nicht.\nThe co-\noperation stays.\n";
const bytes = new TextEncoder().encode(TEXT);
function at(part) {
  const start = new TextEncoder().encode(TEXT.slice(0, TEXT.indexOf(part))).length;
  return { byte_start: start, byte_end: start + new TextEncoder().encode(part).length };
}
function claim(quote, place, more = {}) {
  const found = { source: "a.txt", status: "found", start: 1, end: 2, line: 1, page: null, sheet: null };
  return { quote, ...found, difference: null, checked_by: "host", ...place, ...more };
}
const CONTEXTS = {
  "a text": [{ name: "a.txt", type: "text", data: bytes.buffer }],
  "a file": [{ name: "a.txt", type: "file", data: new Blob([bytes]) }],
  "a file with a byte order mark": [{ name: "a.txt", type: "file", data: new Blob(["\ufeff", bytes]) }],
};

for (const [kind, contexts] of Object.entries(CONTEXTS))
  test(`a place in ${kind} is compared on the page`, async () => {
    const right = [claim('"Kein Hund" - darf', at("„Kein\nHund“ — darf")), claim("🦊 auch", at("🦊 auch"))];
    right.push(claim("cooperation stays", at("co-\noperation stays"), { status: "elsewhere" }));
    for (const item of await checkedEvidence(right, contexts)) {
      assert.equal(item.checked_by, "host");
      assert.notEqual(item.status, "missing");
    }
  });

test("a place that does not hold the quote is not believed", async () => {
  const forged = [
    claim("Nobody wrote this", at("Der Turm")),
    claim("Der Turm", { byte_start: -5, byte_end: 8 }),
    claim("Der Turm", { byte_start: 0, byte_end: 1e12 }),
    claim("Der Turm", { byte_start: 1e9, byte_end: 1e9 + 8 }),
    claim("uch nicht", { byte_start: at("🦊").byte_start + 1, byte_end: at("🦊").byte_start + 9 }),
  ];
  for (const item of await checkedEvidence(forged, CONTEXTS["a file"])) {
    assert.deepEqual([item.status, item.start, item.byte_start, item.checked_by], ["missing", null, null, "worker"]);
    assert.match(item.difference, /the page does not find it/);
  }
});

test("what the page does not hold is the worker's word, whatever it claims", async () => {
  const items = [
    claim("of a PDF", { byte_start: null, byte_end: null }, { source: "book.pdf", page: 417 }),
    claim("of another source", at("Der Turm"), { source: "b.txt" }),
    claim("it says that it is missing", { byte_start: null, byte_end: null }, { status: "missing" }),
  ];
  const checked = await checkedEvidence(items, CONTEXTS["a text"]);
  assert.deepEqual(
    checked.map(({ status, checked_by }) => [status, checked_by]),
    [
      ["found", "worker"],
      ["found", "worker"],
      ["missing", "worker"],
    ],
  );
});

test("text is levelled as in the core", () => {
  assert.equal(level("“No” –  co-\noperation \u00a0\ufb01nal… -5"), '"No"-cooperationfinal...-5');
});
