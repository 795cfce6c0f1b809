// @ts-check
// Images of calls: bounds before anything is decoded, each image once, digests of both sides of a scaling.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { MOST_BYTES, sentImages, withImages } from "../../../worker/calls/images.js";
import { MAX_IMAGES } from "../../../worker/wire/protocol.js";

/** @param {number} width @param {number} height @param {number} [size] */
function png(width, height, size = 40) {
  const data = new Uint8Array(Math.max(size, 24));
  data.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  const view = new DataView(data.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return data.buffer;
}
/** @param {number[]} positions */
const call = (...positions) => ({
  model: null,
  messages: [{ role: /** @type {const} */ ("user"), content: "see" }],
  schema: null,
  images: positions.map((data) => ({ source: "scan.pdf", page: data + 1, data })),
});
const text = { ...call(), images: null };
/** @param {ArrayBuffer} data */
const sha256 = (data) => createHash("sha256").update(new Uint8Array(data)).digest("hex");
/** @type {import("../../../worker/calls/images.js").Scale} */
const noScale = async () => assert.fail("an image was decoded");

test("calls without images are the same calls", async () => {
  const calls = [text];
  assert.equal(await withImages(calls, [], noScale), calls);
});

test("an image that two prompts share is prepared once, and keeps its bytes", async () => {
  const data = png(30, 20);
  const calls = await withImages([call(0), text, call(0, 1)], [data, png(10, 10)], noScale);
  assert.deepEqual(
    calls.map(({ pictures }) => pictures?.length),
    [1, undefined, 2],
  );
  const [picture] = calls[0].pictures ?? [];
  const expected = { source: "scan.pdf", page: 1, type: "image/png", width: 30, height: 20, bytes: 40 };
  assert.deepEqual({ ...picture, ...expected }, picture);
  assert.deepEqual([picture.sha256, picture.sent_sha256], [sha256(data), sha256(data)]);
  assert.deepEqual(sentImages(calls[0]), [{ type: "image/png", data: Buffer.from(data).toString("base64") }]);
});

test("a large image is scaled, and has two digests", async () => {
  const [large, small] = [png(3_000, 2_000), png(1_500, 1_000)];
  const scale = async () => ({ type: "image/png", width: 1_500, height: 1_000, bytes: new Uint8Array(small) });
  const [{ pictures }] = await withImages([call(0)], [large], scale);
  const [picture] = pictures ?? [];
  assert.deepEqual([picture.width, picture.sha256, picture.sent_sha256], [1_500, sha256(large), sha256(small)]);
  const heavy = png(10, 10, MOST_BYTES + 1);
  const [weighed] = await withImages([call(0)], [heavy], scale);
  assert.equal(weighed.pictures?.[0].sent_sha256, sha256(small));
});

/** @type {Array<[string, Parameters<typeof withImages>[0], ArrayBuffer[], RegExp]>} */
const REFUSED = [
  ["more images than a prompt may have", [call(...new Array(MAX_IMAGES + 1).fill(0))], [png(1, 1)], /21 images beside/],
  ["a position without bytes", [call(3)], [png(1, 1)], /not beside its request: 3 of 1/],
  ["a position that is no number of a list", [call(-1)], [png(1, 1)], /not beside its request/],
  ["what is no image", [call(0)], [new TextEncoder().encode("<svg/>").buffer], /image 0 of prompt 0 is no whole PNG/],
  ["an image that would fill the memory", [text, call(0)], [png(60_000, 60_000)], /prompt 1 has 60000 x 60000 pixels/],
  ["bytes beyond the bound", [call(0)], [png(1, 1, (32 << 20) + 1)], /33554433 bytes; 33554432 are allowed/],
];
for (const [name, calls, data, why] of REFUSED)
  test(`${name}: refused before it is decoded`, () => assert.rejects(withImages(calls, data, noScale), why));

test("an image that the browser cannot decode, or that stays too large, is named", async () => {
  const fails = async () => Promise.reject(new Error("bad data"));
  await assert.rejects(
    withImages([call(0)], [png(3_000, 3_000)], fails),
    /image 0 of prompt 0 cannot be decoded \(bad/,
  );
  const large = async () => ({ type: "image/png", width: 9, height: 9, bytes: new Uint8Array(MOST_BYTES + 1) });
  await assert.rejects(withImages([call(0)], [png(3_000, 3_000)], large), /when it is scaled/);
});
