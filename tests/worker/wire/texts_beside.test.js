// Texts beside: they come into place, in their order, and a request that counts them wrongly is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRequest } from "../../../worker/recovery/request_mark.js";
import { withTexts } from "../../../worker/wire/texts_beside.js";

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text).buffer;

/** @param {Array<string | null>} contents @param {unknown} texts */
function request(contents, texts) {
  const calls = contents.map((content) => ({ model: null, messages: [{ role: "user", content }] }));
  return { op: "complete", kind: "sub", calls, ...(texts === undefined ? {} : { texts }) };
}

test("texts come into place in their order, and the bytes before them are left", () => {
  const picture = new ArrayBuffer(3);
  const { value, data, chars } = withTexts(request([null, "short", null], 2), [
    picture,
    bytes("\ufeffone é"),
    bytes("two"),
  ]);
  assert.deepEqual(value, request(["\ufeffone é", "short", "two"], undefined));
  assert.deepEqual(data, [picture]);
  assert.equal(chars, 12);
});

test("a request has the same mark however its texts travel", async () => {
  const whole = await readRequest(JSON.stringify(request(["a long one", "b"], undefined)), []);
  const { value, data } = withTexts(request([null, "b"], 1), [bytes("a long one")]);
  const apart = await readRequest("", data, { value });
  assert.equal(apart.mark(), whole.mark());
});

test("texts that are counted wrongly are refused", () => {
  for (const [contents, texts, data] of [
    [[null], 2, [bytes("a"), bytes("b")]],
    [[null], 1, []],
    [[null], -1, [bytes("a")]],
    [[null], "1", [bytes("a")]],
    [["a"], 1, [bytes("a")]],
  ])
    assert.throws(() => withTexts(request(contents, texts), data), /texts/);
  assert.throws(() => withTexts({ op: "complete", calls: 7, texts: 1 }, [bytes("a")]), /room for 0/);
});

test("other requests are left as they are", () => {
  for (const value of [7, null, "text", { op: "tool", texts: 1 }])
    assert.deepEqual(withTexts(value, []), { value, data: [], chars: 0 });
});
