import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_KEPT_BYTES, SMALL_BYTES, readBeginnings, takeKept } from "../../../worker/egress/file_bytes.js";
import { indexContexts } from "../../../worker/egress/context_index.js";

/** A file that counts how often any of it is read. */
class CountedFile extends File {
  reads = 0;

  arrayBuffer() {
    this.reads += 1;
    return super.arrayBuffer();
  }
}

const context = (/** @type {Blob} */ data, /** @type {string} */ name) => ({
  name,
  type: /** @type {"file"} */ ("file"),
  data,
});
const unreadable = (/** @type {string} */ name) => new Error(name);

test("of thousands of small files each is read once, by the check before a run and by the index", async () => {
  const files = Array.from({ length: 2_000 }, (_, number) => new CountedFile([`${number}\n`], `${number}.txt`));
  const contexts = files.map((file) => context(file, file.name));
  await readBeginnings(contexts, unreadable);
  const { index, parts, unsearched } = await indexContexts(contexts);
  assert.deepEqual(new Set(files.map(({ reads }) => reads)), new Set([1]));
  assert.equal(new TextDecoder().decode(index.bytes).slice(0, 8), "0\n1\n2\n3\n");
  assert.equal(parts.length, 2_000);
  assert.deepEqual(unsearched, []);
  assert.equal(takeKept(files[7]), null);
});

test("large files among small ones stand in the index in their order", async () => {
  const large = "x".repeat(SMALL_BYTES + 1);
  const texts = ["first", large, large, "", "middle", large, "last"];
  const contexts = texts.map((text, number) => context(new File([text], `${number}`), `${number}`));
  await readBeginnings(contexts, unreadable);
  const { index } = await indexContexts(contexts);
  assert.equal(new TextDecoder().decode(index.bytes), texts.join(""));
});

test("what is kept of small files is bounded", async () => {
  const text = "x".repeat(SMALL_BYTES);
  const contexts = Array.from({ length: MAX_KEPT_BYTES / SMALL_BYTES + 3 }, (_, number) =>
    context(new File([text], `${number}`), `${number}`),
  );
  await readBeginnings(contexts, unreadable);
  const kept = contexts.filter(({ data }) => takeKept(data) !== null);
  assert.equal(kept.length, MAX_KEPT_BYTES / SMALL_BYTES);
});

test("a file that cannot be read ends the check with its name", async () => {
  const gone = Object.assign(new File(["x"], "gone.txt"), {
    arrayBuffer: () => Promise.reject(new DOMException("gone", "NotFoundError")),
  });
  await assert.rejects(readBeginnings([context(gone, "gone.txt")], unreadable), /gone\.txt/);
});
