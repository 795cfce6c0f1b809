import assert from "node:assert/strict";
import test from "node:test";

import { encodedJson, encodedText } from "../../../worker/time/long_text.js";

const LONG = 300_000;
const TEXTS = {
  empty: "",
  short: 'a "quoted" \\ line\n',
  long: "word ".repeat(LONG),
  "surrogate pairs": `x${"\u{1f600}".repeat(LONG)}`,
  "lone surrogates": "\ud800".repeat(LONG),
  "low surrogates": "\udc00".repeat(LONG),
  "control characters": "\0\n\u007f\u2028".repeat(LONG),
  "a pair and a half": `${"\u{1f600}".repeat(LONG)}\ud83d`,
};

/** The result of a generator, and the number of its steps. */
function whole(work) {
  for (let steps = 1; ; steps += 1) {
    const { done, value } = work.next();
    if (done) return { value: Buffer.from(value), steps };
  }
}

for (const [name, text] of Object.entries(TEXTS)) {
  test(`a text is encoded as at once: ${name}`, () => {
    const { value, steps } = whole(encodedText(text));
    assert.ok(value.equals(Buffer.from(new TextEncoder().encode(text))));
    assert.equal(steps > 2, text.length >= LONG);
  });

  test(`a value is encoded as JSON.stringify has it: ${name}`, () => {
    const value = {
      prompt: text,
      options: {},
      left: undefined,
      list: [text, 1, null, true, { [text.slice(0, 9)]: [] }],
    };
    assert.ok(whole(encodedJson(value)).value.equals(Buffer.from(JSON.stringify(value))));
  });
}

test("many small values are encoded in steps, too", () => {
  const value = Array.from({ length: 100_000 }, (_, at) => `prompt ${at}`);
  const { value: bytes, steps } = whole(encodedJson(value));
  assert.ok(bytes.equals(Buffer.from(JSON.stringify(value))));
  assert.ok(steps > 2);
});
