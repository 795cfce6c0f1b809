// The channel between two real threads: every request ends, with its own reply, whatever the host does.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { answeringEnd } from "../../../worker/wire/answering_end.js";
import { canWait, sharedLine, sharedMemory, waitingEnd } from "../../../worker/wire/channel.js";
import { messageLine, suspendingEnd } from "../../../worker/wire/message_channel.js";
import {
  CHUNK,
  CHUNK_BYTES,
  ERROR,
  INTERRUPTED,
  LAST,
  TIMED_OUT,
  WAIT_SLICE_MS,
} from "../../../worker/wire/protocol.js";

const MIB = 1 << 20;
const open = [];
after(() => Promise.all(open.map((thread) => thread.terminate())));

/** A thread that asks, and the host's end that answers it with `handler`. */
function pair(handler, { heartbeatMs, idleTimeoutMs } = {}) {
  const { channel, interrupt } = sharedMemory();
  const thread = new Worker(new URL("./asking_thread.js", import.meta.url), {
    workerData: { channel, interrupt, idleTimeoutMs },
  });
  open.push(thread);
  const line = sharedLine(channel, interrupt);
  const host = answeringEnd({ line, handler, heartbeatMs });
  const waiting = [];
  thread.on("message", (message) => {
    if (message.type === "request") host.request(message);
    else if (message.type === "ack") host.ack(message);
    else {
      host.acknowledged();
      waiting.shift()(message);
    }
  });
  const ask = (...bodies) => {
    const got = bodies.map(() => new Promise((resolve) => waiting.push(resolve)));
    thread.postMessage({ ask: bodies });
    return Promise.all(got);
  };
  const close = () => {
    host.close();
    return thread.terminate();
  };
  return { ask, host, line, channel, close };
}

function pattern(length, seed) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + seed) & 255;
  return bytes;
}
function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
function utf8(text) {
  return new TextEncoder().encode(text);
}

for (const size of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 5 * MIB, 200 * MIB]) {
  test(`a reply of ${size} bytes arrives whole`, async () => {
    const bytes = pattern(size, size);
    const { ask, close } = pair((_body, answer) => {
      answer.write(bytes);
      answer.end();
    });
    const [got] = await ask("a");
    assert.deepEqual([got.state, got.bytes, got.sha256], [LAST, size, sha256(bytes)]);
    await close();
  });
}

test("a reply written in pieces of any size arrives in order", async () => {
  const pieces = [0, 1, 7, CHUNK_BYTES, 3, CHUNK_BYTES + 5, 0, 2 * CHUNK_BYTES - 1, 11].map((size, at) =>
    pattern(size, at),
  );
  const { ask, close } = pair(async (_body, answer) => {
    for (const piece of pieces) {
      answer.write(piece);
      await null;
    }
    answer.end();
  });
  const [got] = await ask("a");
  assert.equal(got.sha256, sha256(Buffer.concat(pieces)));
  await close();
});

test("a thousand requests get each its own reply", async () => {
  const { ask, close } = pair((body, answer) => {
    answer.write(utf8(`reply to ${body}`));
    answer.end();
  });
  const bodies = Array.from({ length: 1_000 }, (_, at) => String(at));
  const got = await ask(...bodies);
  assert.deepEqual(
    got.map(({ text }) => text),
    bodies.map((body) => `reply to ${body}`),
  );
  await close();
});

test("a late reply to an earlier call is not taken for this one", async () => {
  const answers = [];
  const { ask, host, close } = pair(
    (_body, answer) => {
      answers.push(answer);
      return new Promise(() => {});
    },
    { heartbeatMs: 10 },
  );
  const first = ask("first");
  await until(() => answers.length === 1);
  host.interrupt();
  assert.equal((await first)[0].state, INTERRUPTED);
  const second = ask("second");
  await until(() => answers.length === 2);
  answers[0].write(utf8("for the first"));
  answers[0].end();
  assert.equal(answers[0].signal.aborted, true);
  answers[1].write(utf8("for the second"));
  answers[1].end();
  assert.equal((await second)[0].text, "for the second");
  await close();
});

test("a state written for another sequence leaves the waiting worker alone", async () => {
  let answer;
  const { ask, line, close } = pair((_body, given) => {
    answer = given;
    return new Promise(() => {});
  });
  const got = ask("a");
  await until(() => answer);
  assert.equal(line.put(7, LAST, utf8("foreign")), false);
  assert.equal(line.put(0, ERROR, utf8("foreign")), false);
  answer.write(utf8("own"));
  answer.end();
  assert.equal((await got)[0].text, "own");
  await close();
});

test("a fault of the host in the middle of a stream is an error with its facts", async () => {
  const { ask, close } = pair((_body, answer) => {
    answer.write(pattern(3 * CHUNK_BYTES, 1));
    throw Object.assign(new Error("the disk is on fire"), {
      name: "ProviderError",
      retryable: true,
      status: 503,
      upstream: "openai",
    });
  });
  const [got] = await ask("a");
  assert.equal(got.state, ERROR);
  await close();
});

const FAULTS = {
  "an Error": [() => new Error("no"), "no"],
  "a text": [() => "just text", "just text"],
  nothing: [() => undefined, "undefined"],
  "a symbol": [() => Symbol("s"), "Symbol(s)"],
  "an object that holds itself": [
    () => {
      const a = { message: "loop" };
      a.a = a;
      return a;
    },
    "loop",
  ],
  "a BigInt as status": [() => Object.assign(new Error("big"), { status: 1n }), "big"],
  "lone surrogates": [() => new Error("\ud800 and \udfff"), "\ud800 and \udfff"],
  "a getter that throws": [
    () => ({
      get message() {
        throw new Error("gotcha");
      },
    }),
    "the host failed, and its error cannot be shown",
  ],
  "a message of 50 MB": [() => new Error("\u0001".repeat(50_000_000)), "\u0001".repeat(100_000)],
};
for (const [name, [make, detail]] of Object.entries(FAULTS)) {
  test(`a handler that throws ${name} ends the request`, async () => {
    const { ask, close } = pair(() => {
      throw make();
    });
    const [got] = await ask("a");
    assert.equal(got.state, ERROR);
    if (got.text !== undefined) assert.equal(JSON.parse(got.text).detail, detail);
    await close();
  });
}

test("what is no bytes, and a handler that just returns, end the request with an error", async () => {
  const { ask, close } = pair((body, answer) => (body === "text" ? answer.write("not bytes") : undefined));
  const [text, nothing] = await ask("text", "nothing");
  assert.match(JSON.parse(text.text).detail, /Uint8Array/);
  assert.match(JSON.parse(nothing.text).detail, /without an answer/);
  await close();
});

test("what is written after the end is dropped", async () => {
  const { ask, close } = pair((_body, answer) => {
    answer.write(utf8("kept"));
    answer.end();
    answer.write(utf8("dropped"));
    answer.fail(new Error("dropped"));
    answer.end();
  });
  const [first, second] = await ask("a", "b");
  assert.deepEqual([first.text, second.text, second.state], ["kept", "kept", LAST]);
  await close();
});

test("an interrupt ends the wait at once, also between the chunks of a reply", async () => {
  let started;
  const { ask, host, close } = pair((body, answer) => {
    if (body === "chunks") answer.write(pattern(CHUNK_BYTES + 1, 1));
    started = true;
    return new Promise(() => {});
  });
  for (const body of ["nothing yet", "chunks"]) {
    started = false;
    const got = ask(body);
    await until(() => started);
    const began = performance.now();
    host.interrupt();
    assert.equal((await got)[0].state, INTERRUPTED);
    assert.ok(performance.now() - began < 10 * WAIT_SLICE_MS); // of the 150 s after which a host is silent
  }
  await close();
});

test("an interrupt before the request is made keeps it from leaving", async () => {
  let handled = 0;
  const { ask, host, close } = pair(() => {
    handled += 1;
  });
  host.interrupt();
  assert.equal((await ask("a"))[0].state, INTERRUPTED);
  assert.equal(handled, 0);
  await close();
});

test("the answer's signal is aborted when it has ended, and when the host closes", async () => {
  const signals = [];
  const { ask, close } = pair((body, answer) => {
    signals.push(answer.signal);
    if (body === "end") answer.end();
    else return new Promise(() => {});
  });
  await ask("end");
  void ask("hang");
  await until(() => signals.length === 2);
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false],
  );
  await close();
  assert.equal(signals[1].aborted, true);
});

test("a silent host is told from a slow one", async () => {
  const slow = pair((_body, answer) => setTimeoutPromise(1_500).then(() => answer.end()), {
    heartbeatMs: 50,
    idleTimeoutMs: 1_000, // the host's thread may have to wait for a processor
  });
  assert.equal((await slow.ask("a"))[0].state, LAST);
  await slow.close();
  const silent = pair(() => new Promise(() => {}), { heartbeatMs: 1e6, idleTimeoutMs: 300 });
  assert.equal((await silent.ask("a"))[0].state, TIMED_OUT);
  await silent.close();
});

test("the next request after a silent one gets its own reply", async () => {
  const { ask, close } = pair(
    (body, answer) => {
      if (body === "lost") return new Promise(() => {});
      answer.write(utf8(body));
      answer.end();
    },
    { heartbeatMs: 1e6, idleTimeoutMs: 1_000 },
  );
  const [lost, found] = await ask("lost", "found");
  assert.deepEqual([lost.state, found.state, found.text], [TIMED_OUT, LAST, "found"]);
  await close();
});

test("a thread that forges acknowledgements spoils only its own reply", async () => {
  const { ask, host, close } = pair((_body, answer) => {
    host.ack({ type: "ack", epoch: 1, sequence: 1 });
    answer.write(pattern(4 * CHUNK_BYTES, 1));
    for (let times = 0; times < 10; times += 1) host.ack({ type: "ack", epoch: 1, sequence: 99 });
    answer.end();
  });
  assert.equal((await ask("a"))[0].bytes, 4 * CHUNK_BYTES);
  await close();
});

test("Atomics.wait works in this thread", () => assert.equal(canWait(), true));

test("without shared memory the same states come as messages", async () => {
  let host;
  const parts = [];
  const end = suspendingEnd({
    epoch: 1,
    idleTimeoutMs: 300,
    post: (message) => {
      queueMicrotask(() => (message.type === "request" ? host.request(message) : host.ack(message)));
    },
  });
  const line = messageLine((part) => {
    parts.push(part);
    queueMicrotask(() => end.deliver(part));
  }, 1);
  const bytes = pattern(2 * CHUNK_BYTES + 3, 5);
  host = answeringEnd({
    line,
    handler: (body, answer) => {
      if (body === "hang") return new Promise(() => {});
      answer.write(bytes);
      answer.end();
    },
  });
  const taken = [];
  let state = await end.request("a");
  for (; state === CHUNK; state = await end.next()) taken.push(end.take());
  taken.push(end.take());
  assert.deepEqual([state, sha256(Buffer.concat(taken))], [LAST, sha256(bytes)]);
  const hung = end.request("hang");
  host.interrupt();
  assert.equal(await hung, INTERRUPTED);
  host.acknowledged();
  assert.equal(await end.request("hang"), TIMED_OUT);
  host.close();
});

test("a reply is taken as text too, unless it is no UTF-8", async () => {
  const bytes = (body) => (body === "broken" ? Uint8Array.of(0x61, 0xff) : Buffer.from(body));
  const { channel, interrupt } = sharedMemory();
  const line = sharedLine(channel, interrupt);
  const blocking = waitingEnd({
    channel,
    interrupt,
    epoch: 1,
    post: ({ sequence, body }) => void line.put(sequence, LAST, bytes(body)),
  });
  const suspending = suspendingEnd({
    epoch: 1,
    post: ({ sequence, body }) => queueMicrotask(() => suspending.deliver(replyOf(sequence, bytes(body)))),
  });
  const replyOf = (sequence, data) => ({
    type: "reply",
    epoch: 1,
    sequence,
    state: LAST,
    data: Uint8Array.from(data).buffer,
  });
  for (const end of [blocking, suspending]) {
    for (const body of ["\ufeffé🦊\n", "", "broken", "ok"]) {
      assert.equal(await end.request(body), LAST);
      assert.equal(end.text(), body === "broken" ? undefined : body);
    }
  }
});

function setTimeoutPromise(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Yields to the event loop until `true_`; the test runner's own timeout ends a wait for ever. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
