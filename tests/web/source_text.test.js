// Text of a source: its parts, lines, search and paint, over Blobs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { paintedLines, sentPaints } from "../../web/source_paint.js";
import { BLOCK_BYTES, openSearch } from "../../web/source_search.js";
import { PART_BYTES, linesOf, openText } from "../../web/source_text.js";

const bytes = (text) => new TextEncoder().encode(text);
const LOG = Array.from({ length: 40_000 }, (_, line) => `line ${line + 1} of Ä and 🙂, done\n`).join("");

async function joined(blob) {
  const text = openText(blob);
  let [all, at] = ["", 0];
  for (let number = 0; number < text.parts; number += 1) {
    const part = await text.part(number);
    assert.equal(part.from, at);
    at = part.to;
    all += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part.bytes);
  }
  assert.equal(at, blob.size);
  return all;
}

test("the parts of a text follow one another, end at line ends, and never within a character", async () => {
  assert.equal(await joined(new Blob([LOG])), LOG);
  const long = "🙂ä".repeat(20_000);
  assert.equal(await joined(new Blob([long])), long);
  assert.equal(await joined(new Blob([""])), "");
  const part = await openText(new Blob([LOG])).part(3);
  assert.ok(new TextDecoder().decode(part.bytes).startsWith("line "));
  assert.ok(part.to - part.from < PART_BYTES + 4096);
});

test("a line is found by its number, and a number by its byte", async () => {
  const blob = new Blob([LOG]);
  for (const number of [1, 2, 1_730, 25_000, 40_000]) {
    const { byteStart, byteEnd } = await linesOf(blob).placeOf(number);
    assert.equal(await blob.slice(byteStart, byteEnd).text(), `line ${number} of Ä and 🙂, done`);
    assert.equal(await linesOf(blob).numberAt(byteStart), number);
  }
  assert.equal(await linesOf(blob).placeOf(40_002), null);
  assert.equal(linesOf(blob).total(), 40_001);
  assert.deepEqual(await linesOf(new Blob(["one"])).placeOf(1), { byteStart: 0, byteEnd: 3 });
});

test("a line that begins with a block of the count is found", async () => {
  const blob = new Blob([`${"a".repeat((1 << 20) - 1)}\nsecond\nthird`]);
  const { byteStart, byteEnd } = await linesOf(blob).placeOf(2);
  assert.equal(await blob.slice(byteStart, byteEnd).text(), "second");
});

async function searched(blob, sought, from = 0) {
  const search = openSearch(blob, sought);
  await search.run(from, new AbortController().signal, () => {});
  return search;
}

test("all hits are counted in any case, each once, also across blocks and cut characters", async () => {
  const filler = "ä".repeat((BLOCK_BYTES - 4) / 2);
  const blob = new Blob([filler, "NEEDLE and Straße, a.b", "ä".repeat(BLOCK_BYTES / 2), "needle"]);
  const search = await searched(blob, "needle");
  assert.equal(search.total(), 2);
  const first = await search.from(0);
  assert.equal(await blob.slice(first.byteStart, first.byteEnd).text(), "NEEDLE");
  const second = await search.next(first, 1);
  assert.equal(await blob.slice(second.byteStart, second.byteEnd).text(), "needle");
  assert.deepEqual(await search.next(second, 1), first);
  assert.deepEqual(await search.next(first, -1), second);
  assert.deepEqual([search.numberOf(first), search.numberOf(second)], [1, 2]);
  assert.equal((await searched(blob, "a.b")).total(), 1);
  assert.equal((await searched(blob, "nowhere")).total(), 0);
  const inTheMiddle = await search.from(first.byteEnd);
  assert.deepEqual(inTheMiddle, second);
  assert.deepEqual(await search.between(first.byteStart - 5, first.byteEnd, 9), [
    { byteStart: first.byteStart, byteEnd: first.byteEnd },
  ]);
});

test("a search that begins in the middle searches the beginning too, and one that is stopped ends", async () => {
  const blob = new Blob(["needle ".repeat(200_000)]);
  const search = await searched(blob, "NEEDLE", blob.size / 2);
  assert.equal(search.total(), 200_000);
  const hit = await search.from(blob.size / 2);
  assert.equal(search.numberOf(hit), Math.ceil(blob.size / 2 / 7) + 1);
  const stopped = openSearch(blob, "needle");
  await stopped.run(0, AbortSignal.abort(), () => {});
  assert.equal(stopped.isDone(), false);
});

test("lines are cut where paint begins and ends, and paint crosses lines", () => {
  const text = "one Ä\ntwo three\r\n\nfour";
  const part = { at: 0, from: 100, to: 100 + bytes(text).length, bytes: bytes(text) };
  const paint = { byteStart: 104, byteEnd: 110, kind: "sent", to: 0, calls: "call 1" };
  const lines = paintedLines(part, [paint, { ...paint, byteStart: 107, byteEnd: 300, kind: "hit" }]);
  assert.deepEqual(
    lines.map((pieces) => pieces.map(({ text: piece, paints }) => [piece, paints.map(({ kind }) => kind).join()])),
    [
      [
        ["one ", ""],
        ["Ä", "sent"],
      ],
      [
        ["two", "sent,hit"],
        [" three", "hit"],
      ],
      [["", "hit"]],
      [["four", "hit"]],
    ],
  );
});

test("spans of each receiver that overlap are one, with the calls that carried them", () => {
  const span = (byte_start, byte_end, call) => ({
    name: "a",
    start: byte_start,
    end: byte_end,
    byte_start,
    byte_end,
    call,
  });
  const { receivers, paints } = sentPaints([span(50, 90, 2), span(0, 60, 1), span(0, 10, 0)], (call) =>
    call === 0 ? "B" : "A",
  );
  const shown = paints.map(({ byteStart, byteEnd, to, calls }) => [byteStart, byteEnd, receivers[to], calls]);
  assert.deepEqual(
    shown.sort(([, , one], [, , other]) => one.localeCompare(other)),
    [
      [0, 90, "A", "calls 2, 3"],
      [0, 10, "B", "call 1"],
    ],
  );
});
