// The call socket: whole calls, parts within their credit, stops, and connections that do not open or break.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCallSocket } from "../../../worker/calls/call_socket.js";

const [HEAD, BODY, CREDIT, CANCEL, ALIVE, LAST] = [1, 2, 3, 4, 5, 0x80];
const MIB = 1 << 20;
const KEYED = { "content-type": "application/json", "idempotency-key": "r/1" };
const utf8 = (text) => new TextEncoder().encode(text);

/** A socket whose other end is the test: `sent` holds its messages. */
function scripted() {
  const socket = {
    sent: [],
    isClosed: false,
    send: (bytes) => void socket.sent.push(read(bytes)),
    close() {
      socket.isClosed = true;
      queueMicrotask(() => socket.onclose?.());
    },
    /** A message of the server. */
    say: (kind, number, ...parts) => socket.onmessage({ data: message(kind, number, ...parts).buffer }),
    reply: (number, body, { status = 200, last = LAST, ...headers } = {}) =>
      socket.say(HEAD | last, number, ...head({ status, headers }), utf8(body)),
    numbers: (kind) => socket.sent.filter((each) => (each.kind & ~LAST) === kind).map(({ number }) => number),
  };
  return socket;
}

function message(kind, number, ...parts) {
  const bytes = Buffer.concat([Buffer.from([kind]), uint32(number), ...parts]);
  return { buffer: Uint8Array.from(bytes).buffer };
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function head(value) {
  const json = utf8(JSON.stringify(value));
  return [uint32(json.length), json];
}

function read(bytes) {
  const buffer = Buffer.from(bytes);
  const [kind, number] = [buffer[0], buffer.readUInt32BE(1)];
  const payload = buffer.subarray(5);
  if ((kind & ~LAST) !== HEAD) return { kind, number, payload };
  const size = payload.readUInt32BE(0);
  return { kind, number, head: JSON.parse(payload.subarray(4, 4 + size)), payload: payload.subarray(4 + size) };
}

/** An open connection; `sockets` are all that were made, `time.now` its clock. */
async function opened(options = {}) {
  const sockets = [];
  const time = { now: 0 };
  const calls = openCallSocket({
    url: "ws://here/api/rlm/socket",
    now: () => time.now,
    open: () => sockets[sockets.push(scripted()) - 1],
    ...options,
  });
  assert.equal(await calls.request("", { body: "{}" }), null, "a call does not wait for the connection");
  sockets[0].onopen();
  return { calls, sockets, socket: sockets[0], time, close: () => sockets.forEach((socket) => socket.close()) };
}

const ask = (calls, body = "{}", options = {}) => calls.request("", { body, headers: KEYED, ...options });
const ticks = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a call is one message each way, and each gets its own answer", async () => {
  const { calls, socket, close } = await opened();
  const both = [ask(calls, '{"prompt":"a"}'), calls.request("/cancel", { body: utf8("b"), headers: KEYED })];
  const [first, second] = socket.sent;
  assert.deepEqual([first.kind, second.kind], [HEAD | LAST, HEAD | LAST]);
  assert.deepEqual(first.head, { path: "", headers: KEYED });
  assert.deepEqual(
    [second.head.path, String(first.payload), String(second.payload)],
    ["/cancel", '{"prompt":"a"}', "b"],
  );
  socket.reply(second.number, "two", { status: 429, "retry-after": "3" });
  socket.reply(first.number, '{"text":1}', { "content-type": "application/json" });
  const [one, two] = await Promise.all(both);
  assert.deepEqual(
    [one.status, await one.json(), one.headers.get("content-type")],
    [200, { text: 1 }, "application/json"],
  );
  assert.deepEqual([two.ok, two.status, two.headers.get("retry-after"), await two.text()], [false, 429, "3", "two"]);
  close();
});

test("a large request goes in parts of a MiB, and no further than its credit", async () => {
  const { calls, socket, close } = await opened();
  const body = new Uint8Array(5 * MIB).map((_, at) => at % 251);
  const answer = ask(calls, body);
  await ticks();
  assert.deepEqual(
    socket.sent.map(({ payload }) => payload.length),
    [MIB, MIB],
  );
  const { number } = socket.sent[0];
  socket.say(CREDIT, number, uint32(MIB / 2));
  await ticks();
  socket.say(CREDIT, number, uint32(4 * MIB));
  await ticks();
  assert.deepEqual(
    socket.sent.map(({ payload }) => payload.length),
    [MIB, MIB, MIB / 2, MIB, MIB, MIB / 2],
  );
  assert.deepEqual(
    socket.sent.map(({ kind }) => kind),
    [HEAD, BODY, BODY, BODY, BODY, BODY | LAST],
  );
  assert.ok(Buffer.concat(socket.sent.map(({ payload }) => payload)).equals(body));
  socket.reply(number, "read");
  assert.equal(await (await answer).text(), "read");
  close();
});

test("an answer in parts is read as it comes, and gives credit only for what was read", async () => {
  const { calls, socket, close } = await opened();
  const coming = ask(calls);
  const { number } = socket.sent[0];
  socket.reply(number, "first ", { last: 0 });
  const reader = (await coming).body.getReader();
  assert.equal(String(Buffer.from((await reader.read()).value)), "first ");
  socket.say(BODY, number, Buffer.alloc(MIB));
  await ticks();
  assert.deepEqual(socket.numbers(CREDIT), []);
  assert.equal((await reader.read()).value.length, MIB);
  assert.deepEqual(
    socket.sent.slice(1).map((each) => [each.kind, each.payload.readUInt32BE(0)]),
    [[CREDIT, MIB + 6]],
  );
  socket.say(BODY | LAST, number, utf8("last"));
  assert.equal(String(Buffer.from((await reader.read()).value)), "last");
  assert.equal((await reader.read()).done, true);
  close();
});

test("a stop reaches the server at once, before an answer and within one", async () => {
  const { calls, socket, close } = await opened();
  const controllers = [new AbortController(), new AbortController()];
  const [waiting, reading] = controllers.map(({ signal }) => ask(calls, "{}", { signal }));
  const [first, second] = socket.sent.map(({ number }) => number);
  socket.reply(second, "beg", { last: 0 });
  const response = await reading;
  const reason = new Error("stopped");
  controllers.forEach((controller) => controller.abort(reason));
  assert.deepEqual(socket.numbers(CANCEL), [first, second]);
  await assert.rejects(waiting, reason);
  await assert.rejects(response.text(), reason);
  await assert.rejects(ask(calls, "{}", { signal: AbortSignal.abort(reason) }), reason);
  socket.reply(first, "too late"); // it crossed the stop, and is dropped
  const unread = ask(calls);
  socket.reply(socket.sent.at(-1).number, "half", { last: 0 });
  await (await unread).body.cancel();
  assert.equal(socket.numbers(CANCEL).length, 3);
  close();
});

test("a connection that breaks loses no answer, and leaves each call without one to be sent another way", async () => {
  const { calls, sockets, socket } = await opened();
  const all = Array.from({ length: 64 }, (_, at) => ask(calls, `${at}`));
  const unkeyed = calls.request("", { body: "{}" });
  for (const { number } of socket.sent.slice(0, 40)) socket.reply(number, "answered");
  socket.reply(socket.sent[40].number, "half", { last: 0 });
  const half = await all[40];
  socket.close();
  const answers = await Promise.all(all);
  assert.equal(answers.slice(0, 40).filter((response) => response.ok).length, 40);
  await assert.rejects(half.text(), TypeError);
  assert.deepEqual(answers.slice(41), Array(23).fill(null));
  await assert.rejects(unkeyed, TypeError);
  assert.equal(await ask(calls), null, "meanwhile a request of its own");
  sockets[1].onopen();
  const later = ask(calls);
  sockets[1].reply(sockets[1].sent[0].number, "again");
  assert.equal(await (await later).text(), "again");
  sockets[1].close();
});

test("what came of an answer before its connection broke is read, and then that it broke", async () => {
  const { calls, socket } = await opened();
  const coming = ask(calls);
  const { number } = socket.sent[0];
  socket.reply(number, "one\n", { last: 0 });
  socket.say(BODY, number, utf8("two\n"));
  socket.onclose();
  const read = [];
  const readAll = async () => {
    for await (const part of (await coming).body) read.push(String(Buffer.from(part)));
  };
  await assert.rejects(readAll(), TypeError);
  assert.deepEqual(read, ["one\n", "two\n"]);
});

test("a call that the server did not begin is sent another way, with or without a key", async () => {
  const { calls, socket, close } = await opened();
  const refused = calls.request("", { body: "{}" });
  socket.say(CANCEL, socket.sent[0].number);
  assert.equal(await refused, null);
  close();
});

test("a connection that is refused or forbidden is not tried again", async () => {
  for (const [name, open, happen] of [
    ["refused", scripted, (socket) => socket.onclose()],
    [
      "forbidden",
      () => {
        throw new DOMException("no", "SecurityError");
      },
      () => {},
    ],
  ]) {
    const made = [];
    const calls = openCallSocket({ url: "ws://here", now: () => 0, open: () => made[made.push(open()) - 1] });
    assert.equal(await ask(calls), null);
    happen(made[0]);
    assert.equal(await ask(calls), null, name);
    assert.ok(made.length <= 1, name);
  }
});

test("a connection that takes long to open is used once it is open, and calls do not wait for it", async () => {
  const sockets = [];
  const time = { now: 0 };
  const open = () => sockets[sockets.push(scripted()) - 1];
  const calls = openCallSocket({ url: "ws://here", now: () => time.now, open });
  for (time.now of [0, 3_000, 60_000]) assert.equal(await ask(calls), null);
  assert.deepEqual(
    sockets.map(({ isClosed }) => isClosed),
    [false],
  );
  sockets[0].onopen();
  const answer = ask(calls);
  sockets[0].reply(sockets[0].numbers(HEAD)[0], "late");
  assert.equal(await (await answer).text(), "late");
  sockets[0].close();
});

test("a server that restarts is connected to again, and a way that cuts each connection is given up", async () => {
  const { calls, sockets, time } = await opened();
  sockets[0].onclose();
  await ask(calls);
  sockets[1].onclose(); // the server is not there yet
  await ask(calls);
  assert.equal(sockets.length, 2);
  time.now += 5_000;
  for (const at of [2, 3, 4]) {
    await ask(calls);
    sockets[at].onopen();
    const cut = ask(calls);
    time.now += 1_000;
    sockets[at].onclose();
    assert.equal(await cut, null);
  }
  time.now += 60_000;
  assert.equal(await ask(calls), null);
  assert.equal(sockets.length, 5);
});

test("a connection is closed where it is idle, and where its server is silent under calls", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { calls, socket, time } = await opened();
  const tick = (ms) => {
    time.now += ms;
    t.mock.timers.tick(ms);
  };
  const waiting = ask(calls);
  for (let at = 0; at < 20; at += 1) {
    tick(10_000);
    socket.say(ALIVE, 0);
  }
  assert.equal(socket.isClosed, false);
  tick(45_000);
  assert.equal(socket.isClosed, true);
  assert.equal(await waiting, null);
  const other = await opened();
  t.mock.timers.tick(29_999);
  assert.equal(other.socket.isClosed, false);
  t.mock.timers.tick(1);
  assert.equal(other.socket.isClosed, true);
});

test("a way that passes no message of an open connection is given up", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { calls, sockets, time } = await opened();
  const waiting = ask(calls);
  time.now += 30_000; // a server that hears nothing ends it after 40 s
  t.mock.timers.tick(30_000);
  assert.equal(await waiting, null);
  time.now += 60_000;
  assert.equal(await ask(calls), null);
  assert.equal(sockets.length, 1);
});

test("a request that outlives its page is none of the connection", async () => {
  const { calls, socket, close } = await opened();
  assert.equal(await ask(calls, "{}", { keepalive: true }), null);
  assert.deepEqual(socket.sent, []);
  close();
});
