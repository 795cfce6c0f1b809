// Resume: the answers of a log that was cut off, and the requests that are repeated under their old name.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readResumed } from "../../../worker/recovery/resume.js";
import { openTape } from "../../../worker/recovery/request_tape.js";

const NO_USAGE = { calls: 1, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost: null };
const DIED = "The Python interpreter died in this block (x)";
const SEEN = { stdout: "", stdout_chars: 0, value: null, error: null, seconds: 0 };

/** Events as the log has them. */
function logOf(...events) {
  return events.map((event, seq) => `${JSON.stringify({ seq, path: [], seconds: seq, ...event })}\n`).join("");
}

const began = { type: "run_started", question: "What?", model: null, sub_model: null, limits: {}, contexts: [] };
function started(call, kind, ...contents) {
  return {
    type: "call_started",
    call,
    kind,
    model: null,
    messages: contents.map((content) => ({ role: "user", content })),
    kept: 0,
    batch: 1,
  };
}
function answered(call, text) {
  return { type: "call_finished", call, model: "m", text, error: null, usage: NO_USAGE };
}
function block(iteration) {
  return { type: "block_started", iteration, block: 0, code: "" };
}
function ended(iteration, error = null) {
  return {
    type: "block_finished",
    iteration,
    block: 0,
    observation: { ...SEEN, error },
    partial: null,
  };
}

/** A tape over `log`; `asked` takes the calls that it could not answer, by idempotency key. */
function tapeOf(log, asked, others = () => 0) {
  const past = readResumed(log);
  const tape = openTape({
    entries: past.entries,
    name: "run",
    others,
    position: () => null,
    onReplayed: () => {},
    onDifference: () => asked.push("another way"),
    handlers: {
      complete: (body, answer) => {
        asked.push(`${answer.idempotencyKey(99)} ${JSON.parse(body).calls.length}`);
        answer.end();
      },
    },
  });
  tape.rewind((position) => past.blocks.some((known) => known.lost && known.iteration === position?.iteration));
  return tape;
}

function request(kind, ...prompts) {
  return JSON.stringify({
    op: "complete",
    kind,
    calls: prompts.map((content) => ({ model: null, messages: [{ role: "user", content }] })),
  });
}

function ask(tape, body) {
  return new Promise((resolve) => {
    const got = [];
    const answer = { signal: new AbortController().signal, write: (bytes) => got.push(bytes), end: () => resolve(got) };
    void tape.handle(body, { ...answer, fail: resolve, progress: () => {} }, []);
  });
}

const IN_A_BLOCK = [began, started(0, "root", "hello"), answered(0, "code"), block(1), started(1, "sub", "one")];
const LOST_TWICE = logOf(
  ...IN_A_BLOCK,
  ended(1, DIED),
  started(2, "root", "died"),
  answered(2, "code"),
  block(2),
  started(3, "sub", "one"),
);

test("a call that is repeated is one request, at the position where it was made last", async () => {
  const asked = [];
  const tape = tapeOf(LOST_TWICE, asked);
  assert.equal((await ask(tape, request("root", "hello"))).length, 1);
  assert.equal((await ask(tape, request("root", "died"))).length, 1);
  await ask(tape, request("sub", "one"));
  assert.deepEqual(asked, ["run/1 1"]);
});

test("a call behind one that is made again has the key that it would have had without", async () => {
  const asked = [];
  const cut = tapeOf(logOf(...IN_A_BLOCK), asked);
  await ask(cut, request("root", "hello"));
  await ask(cut, request("sub", "one"));
  await ask(cut, request("sub", "two", "three"));
  assert.deepEqual(asked, ["run/1 1", "run/98 2"]); // numbers of calls now are 99; that of "one" was 1 before it was cut off
  const twice = logOf(...IN_A_BLOCK, started(2, "sub", "one"), answered(2, "1"), started(3, "sub", "two"));
  const again = tapeOf(twice, asked);
  await ask(again, request("root", "hello"));
  assert.equal((await ask(again, request("sub", "one"))).length, 1);
  await ask(again, request("sub", "two"));
  await ask(again, request("sub", "four"));
  assert.deepEqual(asked.slice(2), ["run/2 1", "run/97 1"]);
});

test("a call has the same key whatever left ahead and was not used, and whatever child runs did beside it", async () => {
  const asked = [];
  const unused = { ...started(2, "sub", "unused"), ahead: "unused" };
  const below = { ...started(3, "sub", "of a child"), path: [0] };
  const answers = [answered(1, "one"), ended(1), answered(2, "2"), { ...answered(3, "3"), path: [0] }];
  const tape = tapeOf(logOf(...IN_A_BLOCK, unused, below, ...answers, started(4, "root", "next")), asked, () => 2);
  assert.equal((await ask(tape, request("root", "hello"))).length, 1);
  assert.equal((await ask(tape, request("sub", "one"))).length, 1);
  await ask(tape, request("root", "next"));
  await ask(tape, request("sub", "later"));
  assert.deepEqual(asked, ["run/2 1", "run/96 1"]); // of 99 calls before two are others, and one is made again
});

test("a batch of which the log has some lines alone is asked as if it had none", async () => {
  const asked = [];
  const tape = tapeOf(logOf(...IN_A_BLOCK.slice(0, 4), { ...started(1, "sub", "one"), batch: 2 }), asked);
  await ask(tape, request("root", "hello"));
  await ask(tape, request("sub", "one", "two"));
  assert.deepEqual(asked, ["run/99 2"]);
});

test("what a block got that died later is given to the block that asks again", async () => {
  const asked = [];
  const log = logOf(
    ...IN_A_BLOCK,
    answered(1, "first"),
    ended(1, DIED),
    started(2, "root", "again"),
    answered(2, "code"),
    block(2),
    ended(2),
    started(3, "root", "and again"),
    answered(3, "code"),
  );
  const tape = tapeOf(log, asked);
  await ask(tape, request("root", "hello"));
  await ask(tape, request("root", "again"));
  assert.equal((await ask(tape, request("sub", "one"))).length, 1);
  await ask(tape, request("root", "and again"));
  assert.deepEqual(asked, []);
});

test("of a batch that was cut off the rest is asked again, and says which of the equal calls each one is", async () => {
  const batch = ["same", "same", "same"].map((prompt, at) => ({ ...started(1 + at, "sub", prompt), batch: 3 }));
  const log = logOf(began, started(0, "root", "hello"), answered(0, "code"), block(1), ...batch, answered(2, "second"));
  const asked = [];
  const told = { onReplayed: () => {}, onDifference: assert.fail, position: () => null, name: "run" };
  const complete = (body, { nth, end }) => {
    asked.push([JSON.parse(body).calls.length, nth]);
    end();
  };
  const tape = openTape({ ...told, entries: readResumed(log).entries, handlers: { complete } });
  await ask(tape, request("root", "hello"));
  await ask(tape, request("sub", "same", "same", "same"));
  assert.deepEqual(asked, [[2, [0, 2]]]);
});

test("a function's result is its answer, and one without a result is requested once more", () => {
  const call = { type: "request_started", op: "tool", mark: "3-x", name: "tick", children: [] };
  const result = { type: "tool_called", name: "tick", args: [], kwargs: {}, result: 7, error: null };
  const { entries } = readResumed(logOf(began, call, result, call));
  assert.deepEqual(
    entries.map(({ missing }) => missing),
    [[], [0]],
  );
  assert.equal(new TextDecoder().decode(entries[0].frames[0]), "7");
});

test("of child runs those that ended are answers, and the others are resumed", () => {
  const request = { type: "request_started", op: "child", mark: "3-x", name: "", children: [0, 1] };
  const over = { type: "run_finished", answer: "A", iterations: 1, stopped_by: "final_answer", detail: "", usage: {} };
  const log = logOf(began, request, { ...began, path: [0] }, { ...began, path: [1] }, { ...over, path: [0] });
  const { entries, children, nextChild } = readResumed(log);
  assert.deepEqual([entries[0].missing, nextChild], [[1], 2]);
  assert.equal(children.get(0)?.ended?.answer, "A");
  assert.equal(children.get(1)?.ended, null);
  assert.equal(children.get(1)?.workerEvents, 1);
});

test("a block that only waits when its tab is closed has no part in it", () => {
  const open = [began, started(0, "root", "hello"), answered(0, "code"), block(1)];
  const notice = { type: "notice", text: "the run is continued from its journal" };
  assert.equal(readResumed(logOf(...open)).crashes, 1);
  assert.equal(readResumed(logOf(...open, notice)).crashes, 2);
  assert.equal(readResumed(logOf(...open, started(1, "sub", "one"), notice)).crashes, 0);
});

test("a call that was stopped at work is in the usage of the resumed run, at an unknown cost, and no sub-call that came", () => {
  const known = { ...NO_USAGE, cost: 0.5 };
  const stopped = { ...answered(2, null), model: "", error: "the call was stopped", stopped: "cancelled" };
  const refused = { ...answered(3, null), error: "no", usage: { ...NO_USAGE, calls: 0 } };
  const log = logOf(
    began,
    started(0, "root", "q"),
    { ...answered(0, "code"), usage: known },
    ...[1, 2, 3].map((call) => ({ ...started(call, "sub", `s${call}`), model: "m" })),
    { ...answered(1, "one"), usage: known },
    stopped,
    refused,
  );
  const { usage, answered: ofAnswers, subCalls } = readResumed(log);
  assert.deepEqual([usage.get(""), subCalls], [{ m: { ...NO_USAGE, calls: 3 } }, 1]);
  assert.deepEqual(ofAnswers.get(""), { m: { ...NO_USAGE, calls: 2, cost: 1 } }, "a limit of cost goes on from here");
});
