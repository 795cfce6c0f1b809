// @ts-check
// Outbox: lines of a headless run on their way to Python.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openOutbox } from "../../web/outbox.js";

test("the lines that are taken are not sent", async () => {
  /** @type {string[]} */
  const sent = [];
  const outbox = openOutbox(async (text) => void sent.push(text), { isWatched: false });
  outbox.add("event 1");
  outbox.add("event 2");
  assert.equal(outbox.take(), "event 1\nevent 2");
  assert.equal(outbox.take(), "");
  await outbox.close();
  assert.deepEqual(sent, []);
});

test("the lines of a reader are sent at the end", async () => {
  /** @type {string[]} */
  const sent = [];
  const outbox = openOutbox(async (text) => void sent.push(text), { isWatched: true });
  for (const line of ["event 1", "event 2", "event 3"]) outbox.add(line);
  await outbox.close();
  assert.deepEqual(sent, ["event 1", "event 2\nevent 3"]);
});
