// The line of a notebook's widget: long requests in parts, replies to this page alone, and an end for whoever waits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openLine } from "../../web/widget_line.js";

/** A model whose kernel is the test. */
function openKernel() {
  const sent = [];
  let listener = null;
  const model = {
    send: (content) => sent.push(content),
    on: (_, taken) => {
      listener = taken;
    },
    off: () => {
      listener = null;
    },
  };
  return { model, sent, isOpen: () => listener !== null, say: (content, buffers = []) => listener(content, buffers) };
}

function opened() {
  const kernel = openKernel();
  const commands = [];
  const lateness = [];
  const line = openLine(kernel.model, {
    command: (content) => commands.push(content.command),
    late: (isLate) => lateness.push(isLate),
  });
  return { ...kernel, line, commands, lateness };
}

test("a long request goes in parts that join to its JSON", async () => {
  const { line, sent, say } = opened();
  const body = { outcome: "ä".repeat(1_200_000) };
  const replied = line.request("ended", body);
  assert.deepEqual(
    sent.map(({ number, kind, last }) => [number, kind, last]),
    [
      [1, "ended", false],
      [1, "ended", false],
      [1, "ended", true],
    ],
  );
  assert.deepEqual(JSON.parse(sent.map(({ text }) => text).join("")), body);
  const { page } = sent[0];
  say({ page, number: 1, value: { ok: true } }, [new DataView(Uint8Array.of(9, 1, 2).buffer, 1)]);
  const { value, bytes } = await replied;
  assert.deepEqual([value, [...bytes]], [{ ok: true }, [1, 2]]);
});

test("a reply to another page is not taken, an error is thrown, commands without a page are for all", async () => {
  const { line, sent, say, commands } = opened();
  const replied = line.request("hello", {});
  const { page } = sent[0];
  say({ page: "another", number: 1, value: "theirs" });
  say({ page: "another", command: "piece" });
  say({ command: "stop" });
  say({ page, command: "piece" });
  say({ page, number: 1, error: "there is no question: write one." });
  await assert.rejects(replied, { message: "there is no question: write one." });
  assert.deepEqual(commands, ["stop", "piece"]);
});

test("a kernel that is at work is shown as late, until it answers", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { line, sent, say, lateness } = opened();
  const replied = line.prompt("begin", {});
  assert.deepEqual(lateness, []);
  context.mock.timers.tick(5_000);
  assert.deepEqual(lateness, [true]);
  say({ page: sent[0].page, number: 1, value: {} });
  await replied;
  assert.deepEqual(lateness, [true, false]);
});

test("a line that is closed ends its requests, and listens no more", async () => {
  const { line, isOpen } = opened();
  const replied = line.request("model", {});
  line.close();
  await assert.rejects(replied, { message: "the widget was closed." });
  assert.equal(isOpen(), false);
});
