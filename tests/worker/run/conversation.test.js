// Conversation: the handler sees whole messages, whatever part of them a root call brings.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withConversation } from "../../../worker/run/conversation.js";

const said = (...texts) => texts.map((content) => ({ role: "user", content }));

/** The values that the handler gets for requests of one worker. */
function valuesOf(...requests) {
  const seen = [];
  const handler = withConversation((_body, { value, chars }) => void seen.push({ value, chars }));
  for (const request of requests) handler(JSON.stringify(request), {}, []);
  return seen;
}

const root = (messages, kept) => ({ op: "complete", kind: "root", kept, calls: [{ model: null, messages }] });

test("a root call has the messages that it keeps before its own", () => {
  const seen = valuesOf(root(said("a")), root(said("b", "c"), 1), root(said("d"), 2), root(said("e")));
  const texts = seen.map(({ value }) => value.calls[0].messages.map(({ content }) => content).join(""));
  assert.deepEqual(texts, ["a", "abc", "abd", "e"]);
  assert.ok(seen.every(({ value }) => !("kept" in value)));
});

test("the kept messages are the values that they were, and their length counts", () => {
  const [first, second] = valuesOf(root(said("a")), root(said("b"), 1));
  assert.equal(second.value.calls[0].messages[0], first.value.calls[0].messages[0]);
  assert.ok(second.chars > JSON.stringify(root(said("a", "b"))).length);
});

test("other requests between two root calls change nothing", () => {
  const sub = { op: "complete", kind: "sub", calls: [{ model: null, messages: said("x") }] };
  const [, between, last] = valuesOf(root(said("a")), sub, root(said("b"), 1));
  assert.deepEqual(between.value, sub);
  assert.equal(last.value.calls[0].messages.length, 2);
});

test("a worker that keeps messages which it never sent is refused", () => {
  for (const kept of [2, -1, 0.5, "1", null])
    assert.throws(() => valuesOf(root(said("a")), root(said("b"), kept)), /a root call that keeps .* of 1 messages/);
});
