// The ledger: exact counts of the text that left, by call, by character of the context and by destination.

import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDestinations } from "../../../worker/egress/destinations.js";
import { reenter } from "../../../worker/egress/egress.js";
import { openLedger } from "../../../worker/egress/ledger.js";
import { readDestination } from "../../../worker/wire/destination.js";
import {
  DESTINATIONS,
  FILLER,
  LENGTH,
  LIST,
  SECRET,
  START,
  TEXT,
  fileContext,
  jsonContext,
  ledgerOf,
  open,
  slices,
  spansIn,
  sub,
  textContext,
  to,
} from "./opened.js";

test("a planted sentence is found with its place in characters and in bytes", async () => {
  const [span, ...more] = await spansIn(ledgerOf(textContext(TEXT)), `Who? "${SECRET}" Say.`);
  const before = new TextEncoder().encode(FILLER).length;
  const size = new TextEncoder().encode(SECRET).length;
  assert.deepEqual(span, {
    name: "context",
    start: START,
    end: START + LENGTH,
    byte_start: before,
    byte_end: before + size,
  });
  assert.deepEqual(more, []);
});

test("characters are counted in a long text of one, two, three and four bytes each, whatever its length is divided by", async () => {
  const mixed = "aé文😀".repeat(3_000);
  for (const end of ["", "b", "bé", "文"]) {
    const [span] = await spansIn(ledgerOf(textContext(mixed + SECRET + end)), SECRET);
    const [start, byte_start] = [[...mixed].length, new TextEncoder().encode(mixed).length];
    assert.deepEqual([span.start, span.end, span.byte_start], [start, start + [...SECRET].length, byte_start]);
  }
});

test("a file is counted in characters exactly where a decoder takes it for UTF-8", async () => {
  const edges = [
    0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xec, 0xed, 0xef, 0xf0, 0xf3, 0xf4, 0xf5,
  ];
  const secret = new TextEncoder().encode(SECRET);
  /** @param {number} number */
  const letters = (number) =>
    Array.from({ length: 4 }, (_, at) => edges[Math.floor(number / edges.length ** at) % edges.length]);
  for (let number = 1; number < edges.length ** 4; number += 97) {
    const data = Uint8Array.from([...letters(number), ...secret, ...letters(number).slice(0, number % 5)]);
    const [span] = await spansIn(ledgerOf(fileContext("f", data)), SECRET);
    assert.equal(span.end - span.start, isUtf8(data) ? LENGTH : secret.length, `after ${data.slice(0, 4)}`);
  }
});

/** @param {Uint8Array} data */
function isUtf8(data) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(data);
    return true;
  } catch {
    return false;
  }
}

test("a letter across two windows of a file is one", async () => {
  for (const cut of [1, 2, 3]) {
    const before = `${"x".repeat((1 << 20) - cut)}😀`;
    const [span] = await spansIn(ledgerOf(fileContext("f", before + SECRET)), SECRET);
    assert.deepEqual([span.start, span.end], [(1 << 20) - cut + 1, (1 << 20) - cut + 1 + LENGTH]);
  }
});

test("an escape is found in the last bytes of a text, which are no whole word", async () => {
  const text = `${"x".repeat(4_097)}${"y".repeat(40)}\\`;
  const [span] = await spansIn(ledgerOf(textContext(text)), JSON.stringify(`${"y".repeat(40)}\\`).slice(1, -1));
  assert.equal(span.end, text.length);
});

test("a character that is not whole is left out", async () => {
  const tail = "x".repeat(60);
  const ledger = ledgerOf(textContext(`${"y".repeat(50)}é${tail}`));
  const [span] = await spansIn(ledger, `${"y".repeat(50)}è`);
  assert.deepEqual([span.start, span.end, span.byte_end], [0, 50, 50]);
  const [after] = await spansIn(ledger, `ĩ${tail}`); // its last byte is that of é
  assert.deepEqual([after.start, after.end], [51, 111]);
});

test("JSON is searched as it is serialised, and a string of it is found although its escapes are gone", async () => {
  const value = { notes: [{ text: `He said "yes"\nand left the house at nine, ${SECRET}` }] };
  const serialised = JSON.stringify(value);
  const spans = await spansIn(ledgerOf(jsonContext(value)), `About this: ${value.notes[0].text}`);
  assert.equal(slices(serialised, spans)[0], JSON.stringify(value.notes[0].text).slice(1, -1));
});

test("what a REPL shows with escapes is found in the text", async () => {
  const shown = JSON.stringify(FILLER.slice(0, 300));
  const spans = await spansIn(ledgerOf(textContext(TEXT)), `Output:\n${shown}`);
  assert.deepEqual(slices(TEXT, spans), [FILLER.slice(0, 300)]);
});

test("files are searched each by its name; one that is no text is counted in bytes", async () => {
  const binary = Uint8Array.from([255, 254, ...new TextEncoder().encode(SECRET), 255]);
  const ledger = ledgerOf(
    fileContext("a.txt", FILLER),
    fileContext("b.bin", binary),
    fileContext("c.txt", `é${SECRET.slice(10)}`),
  );
  const [inB] = await spansIn(ledger, SECRET);
  assert.deepEqual([inB.name, inB.start, inB.byte_start], ["b.bin", 2, 2]);
  const both = await spansIn(ledger, `${FILLER.slice(0, 40)} é${SECRET.slice(10)}`);
  assert.ok(both.some(({ name, start, end }) => name === "a.txt" && start === 0 && end >= 39));
  assert.ok(both.some(({ name, start, byte_start }) => name === "c.txt" && start === 0 && byte_start === 0));
});

test("a text over the end of one file and the beginning of the next is two spans", async () => {
  const [one, two] = [FILLER.slice(0, 500), SECRET];
  const spans = await spansIn(ledgerOf(fileContext("a", one), fileContext("b", two)), one.slice(-100) + two);
  assert.deepEqual(
    spans.map(({ name, start, end }) => [name, start, end]),
    [
      ["a", 400, 500],
      ["b", 0, LENGTH],
    ],
  );
});

test("a prompt longer than what is searched at a time is searched whole", async () => {
  const lines = Array.from({ length: 90_000 }, (_, line) => `row ${line}: ${(line * 2654435761) % 4294967296}`).join(
    "\n",
  );
  const [span, ...more] = await spansIn(ledgerOf(textContext(lines)), lines);
  assert.deepEqual([span.start, span.end, more.length], [0, lines.length, 0]);
});

test("a file that is gone or too large is told, and the others are searched", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "rlm-")), "gone");
  await writeFile(path, "x".repeat(99));
  const gone = await openAsBlob(path);
  await rm(path);
  const large = new Blob([]);
  Object.defineProperty(large, "size", { value: 300 << 20 });
  const ledger = ledgerOf(
    { name: "gone", type: "file", data: gone },
    { name: "large", type: "file", data: large },
    fileContext("c", SECRET),
  );
  assert.equal((await spansIn(ledger, SECRET))[0].name, "c");
  const { unsearched } = ledger.summary();
  assert.equal(unsearched.length, 2);
  assert.match(unsearched.join(), /large: 314572800 bytes.*gone: it cannot be read any more \(NotReadableError\)/);
});

test("a context that is read ahead counts from the first call that is weighed", async () => {
  const ledger = ledgerOf(fileContext("c", SECRET));
  ledger.prepare();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([ledger.summary().contextSize, ledger.summary().share], [0, null]);
  for (let call = 0; call < 2; call += 1) assert.equal((await spansIn(ledger, SECRET))[0].end, LENGTH);
  assert.equal(ledger.summary().contextSize, LENGTH);
});

test("a fault of reading ahead is that of each call", async () => {
  const lost = new Blob(["x"]);
  const fault = () => {
    throw new Error("lost on its way");
  };
  Object.defineProperty(lost, "size", { get: fault });
  const ledger = ledgerOf({ name: "lost", type: "file", data: lost });
  ledger.prepare();
  await new Promise((resolve) => setTimeout(resolve, 20)); // an unhandled rejection would end the test
  await assert.rejects(spansIn(ledger, SECRET), /lost on its way/);
});

test("each call is told with its own spans, and a character is counted once in all", async () => {
  const { events, leave, ledger } = open();
  await leave(sub(SECRET, SECRET.slice(0, 50), "nothing of it"));
  assert.deepEqual(
    events.map((event) => [event.call, event.context_chars, event.new_chars]),
    [
      [0, LENGTH, LENGTH],
      [1, 50, 0],
      [2, 0, 0],
    ],
  );
  const { share, contextChars, calls, bytes } = ledger.summary();
  assert.deepEqual([contextChars, calls, share], [LENGTH, 3, LENGTH / [...TEXT].length]);
  assert.equal(bytes, new TextEncoder().encode(`${SECRET + SECRET.slice(0, 50)}nothing of it`).length);
  assert.equal(events[0].to, "https://here.example → m");
});

test("spans are bounded in number, and the rest is counted", async () => {
  const { events, leave } = open();
  const lines = FILLER.split("\n").slice(0, 150);
  await leave(
    sub(
      lines
        .filter((_, index) => index % 2 === 0)
        .concat(lines.filter((_, index) => index % 2 === 1))
        .join("|?|"),
    ),
  );
  assert.deepEqual([events[0].spans.length, events[0].more_spans], [100, 50]);
});

test("a message that is sent again is counted again in what is sent, and once in the context", async () => {
  const { leave, ledger } = open();
  const root = (...contents) => [{ model: null, messages: contents.map((content) => ({ role: "user", content })) }];
  await leave(root(SECRET), { kind: "root" });
  await leave(root(SECRET, "and?"), { kind: "root", first: 1 });
  const { chars, contextChars } = ledger.summary();
  assert.deepEqual([chars, contextChars], [2 * LENGTH + 4, LENGTH]);
});

test("calls of an earlier session are entered from its log, without those that were denied", async () => {
  const ledger = ledgerOf(textContext(TEXT));
  const stamp = { seq: 0, path: [], seconds: 0 };
  const started = (call, kept, ...contents) => ({
    type: "call_started",
    ...stamp,
    call,
    kind: "root",
    model: null,
    kept,
    batch: 1,
    messages: contents.map((content) => ({ role: "user", content })),
  });
  await reenter(ledger, [
    started(0, 0, SECRET),
    started(1, 1, "more"),
    started(2, 0, FILLER),
    { type: "egress", ...stamp, call: 2, denied: "no" },
  ]);
  const { calls, denied, chars, contextChars } = ledger.summary();
  assert.deepEqual(
    { calls, denied, chars, contextChars },
    { calls: 2, denied: 1, chars: 2 * LENGTH + 4, contextChars: LENGTH },
  );
});

test("later contexts of a session have the names of the REPL", async () => {
  const ledger = openLedger({ destinations: DESTINATIONS });
  ledger.add([]);
  ledger.add([textContext(SECRET)]);
  ledger.add([]);
  ledger.add([fileContext("a.txt", FILLER)]);
  const names = (await spansIn(ledger, SECRET + FILLER)).map(({ name }) => name);
  assert.deepEqual(names, ["context_1", "context_2/a.txt"]);
});

test("a destination tells origin, provider, model and host class, and the default's name where the server lists it", async () => {
  assert.deepEqual(await DESTINATIONS.of("openai:big"), {
    to: "https://here.example → openai:big (openai)",
    origin: "https://here.example",
    provider: "openai",
    model: "openai:big",
    host: "openai",
  });
  assert.deepEqual(await DESTINATIONS.of(null), await DESTINATIONS.of("openai:big"));
  assert.equal((await DESTINATIONS.of("gemini:new")).to, "https://here.example → gemini:new");
});

test("this machine is the server's machine where the page is not on it", async () => {
  const local = openDestinations("http://127.0.0.1:8000/api/rlm", async () => LIST);
  assert.equal((await local.of("ollama:small")).host, "on this machine");
  assert.equal((await DESTINATIONS.of("ollama:small")).host, "on the server's machine");
});

for (const [name, list] of Object.entries({ failing: () => Promise.reject(new Error("gone")), odd: async () => [7] }))
  test(`a list of models that is ${name} makes a destination less exact, and stops nothing`, async () => {
    const destinations = openDestinations("https://here.example/api/rlm", list);
    assert.equal((await destinations.of(null)).to, "https://here.example → the server's default model");
    assert.equal((await destinations.of("a:b")).to, "https://here.example → a:b");
  });

test("the line of a destination is read back from a log, and an older one is the origin alone", async () => {
  for (const model of ["openai:big", "ollama:small", "gemini:new"]) {
    const destination = await DESTINATIONS.of(model);
    assert.deepEqual(readDestination(destination.to), destination);
  }
  const old = { to: "https://here.example", origin: "https://here.example", provider: null, model: null, host: null };
  assert.deepEqual(readDestination("https://here.example"), old);
});

test("a span that goes to a second destination is new there, and the totals count it once", async () => {
  const { leave, events, ledger } = open();
  await leave(to("m", SECRET));
  await leave(to("other", SECRET), { first: 1 });
  await leave(to("m", SECRET), { first: 2 });
  assert.deepEqual(
    events.map((event) => [event.to, event.new_chars, event.left_chars]),
    [
      ["https://here.example → m", LENGTH, LENGTH],
      ["https://here.example → other", LENGTH, LENGTH],
      ["https://here.example → m", 0, LENGTH],
    ],
  );
  const { contextChars, destinations } = ledger.summary();
  assert.equal(contextChars, LENGTH);
  assert.deepEqual(
    destinations.map(({ model, calls, contextChars: own }) => [model, calls, own]),
    [
      ["m", 2, LENGTH],
      ["other", 1, LENGTH],
    ],
  );
});
