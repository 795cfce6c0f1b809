import assert from "node:assert/strict";
import { test } from "node:test";

import { openQuota } from "../../../worker/run/message_quota.js";

function clock() {
  const time = { ms: 0 };
  return { now: () => time.ms, pass: (ms) => void (time.ms += ms) };
}

function send(meter, messages, chars = 10) {
  for (let sent = 0; sent < messages; sent += 1) meter.count(chars);
}

test("a burst passes, and a flood does not", () => {
  const { now } = clock();
  const meter = openQuota(now);
  send(meter, 2_000);
  assert.throws(() => meter.count(10), { name: "ChannelError", message: /more than 2000 messages/ });
});

test("a few messages that hold too much are a flood too", () => {
  const { now } = clock();
  assert.throws(() => send(openQuota(now), 49, 1 << 20), /more than 50331648 characters/);
});

test("what a run sends in earnest passes for ever", () => {
  const { now, pass } = clock();
  const meter = openQuota(now);
  for (let second = 0; second < 600; second += 1) {
    send(meter, 150, 10_000);
    pass(1_000);
  }
});

test("each answered call brings an allowance", () => {
  const { now } = clock();
  const meter = openQuota(now);
  for (let call = 0; call < 10_000; call += 1) {
    send(meter, 4, 1_000);
    meter.expect(1);
  }
});
