// Run files: those of a recorded run are taken, others are named with their size; and the quotations of an answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { quotations } from "../../../worker/log/answer_quotes.js";
import { matchedFiles } from "../../../worker/log/run_files.js";

const { File } = await import("node:buffer");
globalThis.File ??= File;
const RUN = [
  { name: "docs/book.pdf", type: "file", size: 5 },
  { name: "lease.txt", type: "str", size: 4 },
];
const file = (name, text) => new File([text], name);
const names = ({ taken, wrong, missing }) => ({ taken: taken.map(({ name }) => name), wrong, missing });

test("files of the run are taken under the names of the log, by name and size", async () => {
  const files = [file("book.pdf", "12345"), file("lease.txt", "\ufeff\u{1f511}abc")];
  assert.deepEqual(names(await matchedFiles(RUN, files)), {
    taken: ["docs/book.pdf", "lease.txt"],
    wrong: [],
    missing: [],
  });
});

test("a file of another name, and one of another size, are named with the sizes", async () => {
  const files = [file("other.txt", "x"), file("lease.txt", "longer")];
  assert.deepEqual(names(await matchedFiles(RUN, files)), {
    taken: [],
    wrong: [
      "“other.txt” (1 byte) is none of the run's files: docs/book.pdf (5 bytes), lease.txt (4 characters).",
      "“lease.txt” has 6 characters, the run's had 4: it was changed since.",
    ],
    missing: ["docs/book.pdf", "lease.txt"],
  });
});

test("two files of a folder with one bare name are told apart by their paths alone", async () => {
  const run = ["a/x.txt", "b/x.txt"].map((name) => ({ name, type: "str", size: 1 }));
  const { taken, wrong } = await matchedFiles(run, [file("x.txt", "1")]);
  assert.deepEqual([taken.length, wrong.length], [0, 1]);
  assert.deepEqual(names(await matchedFiles(run, [file("b/x.txt", "1")])).missing, ["a/x.txt"]);
});

test("a log that names no file takes any, and text of another coding is not counted", async () => {
  for (const contexts of [[], [{ name: "context", type: "str", size: 3 }]])
    assert.equal((await matchedFiles(contexts, [file("any.txt", "12345")])).taken.length, 1);
  const utf16 = file("lease.txt", Uint8Array.of(0xff, 0xfe, 0x41, 0, 0x42, 0));
  assert.deepEqual((await matchedFiles([RUN[1]], [utf16])).wrong, []);
});

test("quotations of an answer, as the command finds them", () => {
  assert.deepEqual(quotations('It says “The rent is due”, not "never", and:\n> signed by Ada in 1842'), [
    "The rent is due",
    "signed by Ada in 1842",
  ]);
  assert.deepEqual(quotations('„Die Miete ist fällig“ und «le loyer est dû ici» x"not a quotation"y'), [
    "Die Miete ist fällig",
    "le loyer est dû ici",
  ]);
  assert.deepEqual(quotations('"twice the same words" and "twice the same words"'), ["twice the same words"]);
});
