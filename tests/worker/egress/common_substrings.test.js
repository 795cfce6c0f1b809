// Pieces against a search that compares every place with every other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAST, indexOf, piecesIn } from "../../../worker/egress/common_substrings.js";

function bytesOf(text) {
  return new TextEncoder().encode(text);
}
function done(work) {
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}
function search(long, text) {
  return done(piecesIn(done(indexOf(long)), text));
}

/** A generator of numbers below a bound, the same for the same seed. */
function randomFrom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Which bytes of `text` belong to a piece of at least LEAST bytes that stands in `long`. */
function naive(long, text) {
  const covered = new Uint8Array(text.length);
  let before = new Int32Array(long.length + 1);
  for (let at = 0; at < text.length; at += 1) {
    const lengths = new Int32Array(long.length + 1);
    for (let place = 0; place < long.length; place += 1) {
      if (long[place] !== text[at]) continue;
      const length = before[place] + 1;
      lengths[place + 1] = length;
      if (length >= LEAST) covered.fill(1, at - length + 1, at + 1);
    }
    before = lengths;
  }
  return covered;
}

function check(long, text, what) {
  const covered = new Uint8Array(text.length);
  for (const { from, to, at } of search(long, text)) {
    assert.ok(to - from >= LEAST, what);
    assert.deepEqual(text.subarray(from, to), long.subarray(at, at + to - from), what);
    assert.ok(
      to === text.length || at + to - from === long.length || text[to] !== long[at + to - from],
      `${what}: ends early`,
    );
    covered.fill(1, from, to);
  }
  assert.deepEqual(covered, naive(long, text), what);
}

/** Texts of few letters, cut from one another, so that pieces overlap, repeat and lie side by side. */
function randomPair(seed) {
  const random = randomFrom(seed);
  const letters = 2 + random(6);
  const fresh = (length) => Array.from({ length }, () => 97 + random(letters));
  const long = [];
  for (let part = random(8); part >= 0; part -= 1) {
    const from = random(long.length + 1);
    long.push(...(random(3) === 0 ? long.slice(from, from + random(120)) : fresh(random(150))));
  }
  const text = [];
  for (let part = random(7); part >= 0; part -= 1) {
    const from = random(long.length + 1);
    text.push(...(random(4) === 0 ? fresh(random(40)) : long.slice(from, from + random(90))));
  }
  return [Uint8Array.from(long), Uint8Array.from(text)];
}

test("what a naive search finds is found, and nothing else", () => {
  for (let seed = 0; seed < 1_500; seed += 1) check(...randomPair(seed), `seed ${seed}`);
});

test("a piece of the least length is found wherever it begins", () => {
  const random = randomFrom(7);
  const long = Uint8Array.from({ length: 400 }, () => random(256));
  for (let at = 0; at + LEAST <= long.length; at += 1) {
    assert.deepEqual(search(long, long.slice(at, at + LEAST)), [{ from: 0, to: LEAST, at }]);
    assert.deepEqual(search(long, long.slice(at, at + LEAST - 1)), []);
  }
});

test("what stands before a sentence that is everywhere is found with it", () => {
  const line = "The committee met again and decided nothing of note.\n";
  const long = bytesOf(`${line.repeat(20)}Code 48-17: ${line.repeat(20)}`);
  const [piece] = search(long, bytesOf(`Code 48-17: ${line}What is it?`));
  assert.deepEqual(piece, { from: 0, to: 12 + line.length, at: 20 * line.length });
});

test("one letter for ever costs no more than its length", () => {
  const [piece, ...more] = search(new Uint8Array(2_000_000).fill(97), new Uint8Array(1_000_000).fill(97));
  assert.deepEqual([piece.to - piece.from, more], [1_000_000, []]);
});

test("texts that are too short for a piece have none", () => {
  for (const [long, text] of [
    ["", ""],
    ["short", "short"],
    ["x".repeat(99), "short"],
    ["", "x".repeat(99)],
  ])
    assert.deepEqual(search(bytesOf(long), bytesOf(text)), []);
});
