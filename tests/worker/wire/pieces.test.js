// Pieces of a reply that is still being written: they reach the worker in order, joined while it is busy, and never late.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answeringEnd } from "../../../worker/wire/answering_end.js";
import { sharedLine, sharedMemory, waitingEnd } from "../../../worker/wire/channel.js";
import { CHUNK_BYTES, LAST, PIECE, PROGRESS } from "../../../worker/wire/protocol.js";

/** A request whose worker acknowledges when the test says so; the states that were put, with their texts. */
function asked() {
  const states = [];
  let answer;
  const line = {
    interrupt: () => {},
    put(_sequence, state, bytes) {
      if (state !== PROGRESS) states.push([state, new TextDecoder().decode(bytes)]);
      return true;
    },
  };
  const host = answeringEnd({
    line,
    handler: (_body, given) => {
      answer = given;
      return new Promise((resolve) => given.signal.addEventListener("abort", () => resolve()));
    },
  });
  void host.request({ type: "request", epoch: 1, sequence: 1, body: "", data: [] });
  return { answer, states, ack: () => host.ack({ type: "ack", epoch: 1, sequence: 1 }), close: host.close };
}

const piece = (at, text) => [PIECE, JSON.stringify({ at, text })];

test("a piece is sent at once, and those that come before it is taken are one", () => {
  const { answer, states, ack, close } = asked();
  answer.piece({ at: 0, text: "a" });
  answer.piece({ at: 1, text: "b" });
  answer.piece({ at: 2, text: "c" });
  assert.deepEqual(states, [piece(0, "a")]);
  ack();
  assert.deepEqual(states.slice(1), [piece(1, "bc")]);
  ack();
  assert.equal(states.length, 2);
  close();
});

test("a reply that begins anew takes the place of what was held", () => {
  const { answer, states, ack, close } = asked();
  answer.piece({ at: 0, text: "a" });
  answer.piece({ at: 1, text: "b" });
  answer.piece({ at: 0, text: "A" });
  ack();
  assert.deepEqual(states.slice(1), [piece(0, "A")]);
  close();
});

test("the whole reply comes before a piece that is held, and none after it", () => {
  const { answer, states, ack, close } = asked();
  answer.piece({ at: 0, text: "a" });
  answer.piece({ at: 1, text: "b" });
  answer.write(new TextEncoder().encode("ab"));
  answer.end();
  answer.piece({ at: 2, text: "c" });
  ack();
  ack();
  assert.deepEqual(states.slice(1), [[LAST, "ab"]]);
  close();
});

test("a piece that is longer than the channel is left out", () => {
  const { answer, states, ack, close } = asked();
  answer.piece({ at: 0, text: "a".repeat(CHUNK_BYTES) });
  assert.deepEqual(states, []);
  answer.piece({ at: CHUNK_BYTES, text: "b" });
  assert.deepEqual(states, [piece(CHUNK_BYTES, "b")]);
  ack();
  close();
});

test("a waiting worker gets a piece as a state of its own", () => {
  const { channel, interrupt } = sharedMemory();
  const line = sharedLine(channel, interrupt);
  let sequence = 0;
  const states = [piece(0, "é"), [LAST, "whole"]];
  const post = (message) => {
    sequence = message.sequence;
    const [state, text] = states.shift();
    assert.ok(line.put(sequence, state, new TextEncoder().encode(text)));
  };
  const worker = waitingEnd({ channel, interrupt, epoch: 1, post });
  const taken = () => new TextDecoder().decode(worker.take());
  assert.equal(worker.request(""), PIECE);
  assert.equal(taken(), '{"at":0,"text":"é"}');
  assert.equal(worker.next(), LAST);
  assert.equal(taken(), "whole");
});
