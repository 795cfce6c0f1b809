// Texts of sub-calls: a long prompt that is no text is refused before anything is recorded or sent.

import assert from "node:assert/strict";
import test from "node:test";
import { checkTexts } from "../../../worker/run/budget.js";

const LONG = 1_100_000;
const calls = (...prompts) => prompts.map((content) => ({ model: null, messages: [{ role: "user", content }] }));

test("a long prompt with halves of surrogate pairs is refused by its number", () => {
  const broken = calls("fine", `${"a".repeat(LONG)}\ud800 and so on`);
  assert.throws(() => checkTexts(broken), {
    name: "ProviderError",
    message: /^prompt 1, of 1100011 characters, holds/,
  });
});

test("whole pairs, other long texts and short broken ones pass", () => {
  checkTexts(calls("\u{1f600}".repeat(LONG), "a".repeat(LONG), "\0".repeat(LONG), "\ud800"));
});
