// @ts-check
// Image facts: the size of each kind by its header, and headers that lie or end early.

import assert from "node:assert/strict";
import { test } from "node:test";
import { imageFacts, tokensOf } from "../../../worker/wire/image_facts.js";

/** @param {...(number | string | number[])} parts */
const bytes = (...parts) =>
  new Uint8Array(
    parts.flatMap((part) => (typeof part === "string" ? [...part].map((one) => one.charCodeAt(0)) : part)),
  );
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const SCAN = [0xff, 0xc0, 0, 17, 8, 0x01, 0x02, 0x03, 0x04];
const GIF = bytes("GIF89a", [7, 0, 9, 0, 0x80, 0, 0], [0, 0, 0, 9, 9, 9]);

/** @type {Array<[string, Uint8Array, {type: string, width: number, height: number} | null]>} */
const CASES = [
  [
    "PNG",
    bytes(PNG, [0, 0, 0, 13], "IHDR", [0, 0, 4, 0], [0, 0, 3, 1]),
    { type: "image/png", width: 1024, height: 769 },
  ],
  ["PNG without its header", bytes(PNG, [0, 0, 0, 13], "IDAT", [0, 0, 4, 0], [0, 0, 3, 1]), null],
  ["PNG that ends early", bytes(PNG, [0, 0, 0, 13], "IHDR", [0, 0]), null],
  ["PNG of no width", bytes(PNG, [0, 0, 0, 13], "IHDR", [0, 0, 0, 0], [0, 0, 3, 1]), null],
  [
    "JPEG, its frame behind other segments",
    bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc4, 0, 2], SCAN),
    { type: "image/jpeg", width: 0x304, height: 0x102 },
  ],
  ["JPEG without a frame", bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2]), null],
  ["JPEG that is no chain of segments", bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 3, 4, 5, 6, 7]), null],
  [
    "GIF whose frame is larger than its screen",
    bytes([...GIF], [0x21, 0xf9, 4, 0, 0, 0, 0, 0], [0x2c, 0, 0, 0, 0, 0x10, 0x27, 0x10, 0x27, 0]),
    { type: "image/gif", width: 10_000, height: 10_000 },
  ],
  ["GIF without a frame", bytes([...GIF], [0x3b]), null],
  [
    "WebP, lossy",
    bytes("RIFF", [0, 0, 0, 0], "WEBPVP8 ", [0, 0, 0, 0], [0, 0, 0, 0x9d, 0x01, 0x2a], [0x40, 1, 0xf0, 0]),
    { type: "image/webp", width: 320, height: 240 },
  ],
  [
    "WebP, lossless",
    bytes("RIFF", [0, 0, 0, 0], "WEBPVP8L", [0, 0, 0, 0], [0x2f, 0x3f, 0xc1, 0x3b, 0]),
    { type: "image/webp", width: 320, height: 240 },
  ],
  [
    "WebP, extended",
    bytes("RIFF", [0, 0, 0, 0], "WEBPVP8X", [10, 0, 0, 0], [0, 0, 0, 0], [0x3f, 1, 0], [0xef, 0, 0]),
    { type: "image/webp", width: 320, height: 240 },
  ],
  ["WebP of an unknown form", bytes("RIFF", [0, 0, 0, 0], "WEBPICCP", new Array(20).fill(1)), null],
  ["a sound", bytes("RIFF", [0, 0, 0, 0], "WAVEfmt ", new Array(20).fill(1)), null],
  ["SVG", bytes("<svg xmlns='http://www.w3.org/2000/svg'/>"), null],
  ["nothing", bytes(), null],
];

for (const [name, data, facts] of CASES)
  test(`${name}: ${facts === null ? "no image" : `${facts.width} x ${facts.height}`}`, () => {
    assert.deepEqual(imageFacts(data), facts);
    const inside = new Uint8Array([0, ...data]).subarray(1); // a view that does not begin its buffer
    assert.deepEqual(imageFacts(inside), facts);
  });

test("each beginning of an image is an image or none, and takes no time", () => {
  for (const [, data] of CASES)
    for (let end = 0; end <= data.length; end += 1) {
      const facts = imageFacts(data.slice(0, end));
      assert.ok(facts === null || (facts.width > 0 && facts.height > 0));
    }
  const endless = bytes([...GIF], new Array(200_000).fill([0x21, 0xfe, 1, 0, 0]).flat());
  assert.equal(imageFacts(endless), null);
});

test("tokens follow the pixels, and are the most where these are not known", () => {
  assert.deepEqual([tokensOf({ width: 1, height: 1 }), tokensOf({ width: 1_500, height: 1_125 })], [1, 2_250]);
  assert.equal(tokensOf({ width: null, height: null }), 3_279);
});
