// Replay and fork against golden logs: answers from the record, refusals, and the point where a fork continues live.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openFork } from "../../../worker/replay/fork.js";
import { FRAME_OK } from "../../../worker/wire/protocol.js";
import { openReplay } from "../../../worker/replay/replay.js";
import { framesIn } from "../scripted_endpoint.js";

function logOf(name) {
  return readFileSync(new URL(`../../golden/${name}.jsonl`, import.meta.url), "utf8");
}
function eventsOf(log) {
  return log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
function textOf(events) {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
const result = { answer: "x", iterations: 1, seconds: 1, usage: {}, stopped_by: "cancelled", detail: "" };
function jobOf({ question, limits }) {
  const models = { model: null, sub_model: null, model_options: {}, sub_model_options: {} };
  return { question, ...models, limits, system_prompt: null, schema: null, contexts: [{ name: "context" }] };
}

/** The requests of a log as its worker made them: body and answer. */
function requestsOf(events) {
  const requests = [];
  let conversation = [];
  for (let at = 0; at < events.length; at += 1) {
    if (events[at].type !== "call_started") continue;
    const started = events.slice(at, at + events[at].batch);
    at += started.length - 1;
    const calls = started.map(({ model, kept, messages }) => ({
      model,
      messages: [...conversation.slice(0, kept), ...messages],
    }));
    if (started[0].kind === "root") conversation = calls[0].messages;
    const answers = started.map(({ call }) =>
      events.find((event) => event.type === "call_finished" && event.call === call),
    );
    requests.push({ seq: started[0].seq, kind: started[0].kind, calls, answers });
  }
  return requests;
}

/** A source's answer to a request: [ok, text] of each frame; "live" when it went to the endpoint. */
async function asked(answering, { kind, calls }) {
  const frames = [];
  let ended = false;
  const answer = { write: (frame) => frames.push(frame), end: () => (ended = true), signal: AbortSignal.abort() };
  await answering.handle(JSON.stringify({ op: "complete", kind, calls }), answer, []);
  return ended ? frames.map(read) : "no answer";
}

function read(frame) {
  const [{ index, status, meta, text }] = framesIn(Buffer.from(frame));
  return [index, status === FRAME_OK ? text : meta.detail];
}

/** `made` as the host drives it, over a run's events; the recorded events, and the caller's. */
function drive(made) {
  const told = [];
  const counted = [];
  const recorded = [];
  const witness = { started: (_kind, calls) => counted.push(...calls) - calls.length, finished: () => {} };
  const live = async (_body, answer) => {
    recorded.push("live");
    answer.end();
  };
  const answering = made.source.answering({
    path: [],
    witness,
    recorder: { record: ({ text }) => recorded.push(text) },
    live,
  });
  const follow = made.watched((event) => told.push(event));
  return { told, counted, recorded, answering, follow };
}

const NAMES = ["needle_in_batches", "failing_sub_calls", "errors_and_recovery", "out_of_iterations", "provider_down"];
for (const name of NAMES)
  test(`a run that goes as ${name} agrees, and is answered as it was`, async () => {
    const events = eventsOf(logOf(name));
    const made = openReplay(logOf(name));
    const job = made.job(jobOf(events[0]));
    assert.equal(job.limits.max_seconds, null);
    const { answering, follow, told, counted } = drive(made);
    const requests = requestsOf(events);
    for (const event of events) {
      follow({ ...event, seconds: 99 });
      for (const request of requests.filter(({ seq }) => seq === event.seq)) {
        const expected = request.answers.map(({ text, error }, index) => [index, text ?? error]);
        assert.deepEqual(await asked(answering, request), expected);
      }
    }
    assert.equal(made.end.aborted, false);
    assert.equal(made.close(result), result);
    assert.equal(told.length, events.length);
    assert.equal(counted.length, requests.flatMap(({ calls }) => calls).length);
  });

const CHANGES = {
  block_started: [
    { code: "print(1)" },
    /in iteration 1, block 1: its code differs from character 7 on: recorded "print\(type/,
  ],
  block_finished: [
    { observation: { stdout: "str 222", stdout_chars: 8, value: null, error: null, seconds: 0 } },
    /in iteration 1, block 1: what it printed differs from character 6 on: recorded "str 240.*", now "str 222"/,
  ],
  iteration_finished: [
    { reply: "Other." },
    /in iteration 1: the reply differs from character 1 on: recorded "I measure/,
  ],
  iteration_started: [{ iteration: 2 }, /in iteration 2: the iteration differs: recorded 1, now 2/],
};
for (const [type, [change, message]] of Object.entries(CHANGES))
  test(`another ${type} is a difference with its place, and ends the run`, () => {
    const made = openReplay(logOf("needle_in_batches"));
    const { follow, told } = drive(made);
    for (const event of eventsOf(logOf("needle_in_batches"))) {
      follow(event.type === type ? { ...event, ...change } : event);
      if (event.type === type) break;
    }
    assert.equal(made.end.aborted, true);
    assert.throws(() => made.close(result), { name: "ReplayError", message });
    assert.notEqual(told.at(-1)?.type, type);
  });

test("a run that does not go on as far is a difference", () => {
  const made = openReplay(logOf("needle_in_batches"));
  const { follow } = drive(made);
  eventsOf(logOf("needle_in_batches")).slice(0, -1).forEach(follow);
  assert.throws(() => made.close(result), { name: "ReplayError", message: /the run did not go on as recorded/ });
});

test("what was not recorded has no answer, and says what was asked instead", async () => {
  const events = eventsOf(logOf("needle_in_batches"));
  const made = openReplay(logOf("needle_in_batches"));
  const { answering, follow, counted, recorded } = drive(made);
  events.slice(0, 2).forEach(follow);
  const [{ kind, calls }] = requestsOf(events);
  const [system, user] = calls[0].messages;
  const other = [{ ...calls[0], messages: [system, { ...user, content: user.content.replace("Who", "How") }] }];
  const message =
    /in iteration 1: the root model is asked something else: message 2 of 2 \(user\) differs from character 11/;
  await assert.rejects(asked(answering, { kind, calls: other }), { name: "ReplayError", message });
  assert.deepEqual([counted, recorded, made.end.aborted], [[], [], true]);
});

test("another question, model or context is refused by its name", () => {
  const log = logOf("needle_in_batches");
  const [started] = eventsOf(log);
  const job = jobOf(started);
  const refused = (change, message) =>
    assert.throws(() => openReplay(log).job({ ...job, ...change }), { name: "ReplayError", message });
  refused({ question: "Who?" }, /^the question differs from character 4 on/);
  refused({ model: "m" }, /^the model differs: recorded the default, now m/);
  const contexts = [{ ...started.contexts[0], sha256: "0".repeat(64) }];
  for (const [given, told] of [
    [[1], /recorded was "context" \(str, size \d+, SHA-256 [0-9a-f]{16}\); given is "context" .* 0{16}\)/],
    [[], /none is given/],
  ]) {
    const made = openReplay(log);
    made.job({ ...job, contexts: given });
    drive(made).follow({ ...started, contexts });
    assert.throws(() => made.close(result), { name: "ReplayError", message: told });
  }
});

test("a recording that was stopped is followed as far as it goes, and has its own ending", async () => {
  const events = eventsOf(logOf("needle_in_batches"));
  const second = events.findLastIndex(({ type }) => type === "block_started");
  const stopped = { ...events.at(-1), stopped_by: "max_seconds", answer: "so far", detail: "time is up" };
  const made = openReplay(textOf([...events.slice(0, second + 1), stopped]));
  const { follow, told } = drive(made);
  events.slice(0, second).forEach(follow);
  assert.equal(made.end.aborted, false);
  follow(events[second]);
  assert.equal(made.end.aborted, true);
  assert.equal(told.length, second);
  assert.deepEqual(made.close(result), {
    ...result,
    answer: "so far",
    stopped_by: "max_seconds",
    detail: "time is up",
    value: null,
    evidence: [],
  });
});

test("where a recording was stopped in a call, nothing answers it", async () => {
  const events = eventsOf(logOf("needle_in_batches"));
  const cut = events.findIndex(({ type }) => type === "call_finished");
  const made = openReplay(textOf(events.slice(0, cut)));
  const { answering, follow } = drive(made);
  events.slice(0, cut).forEach(follow);
  assert.equal(await asked(answering, requestsOf(events.slice(0, cut))[0]), "no answer");
  assert.equal(made.end.aborted, true);
  assert.equal(made.close(result).stopped_by, "cancelled");
});

// ---------------------------------------------------------------------------------------------------------------- fork

test("a fork is answered in turn before its iteration, whatever is asked of whom, and live from there on", async () => {
  const log = logOf("needle_in_batches");
  const events = eventsOf(log);
  const requests = requestsOf(events);
  const made = openFork({ log, iteration: 3 });
  const job = made.job({ ...jobOf(events[0]), question: "How?", model: "other:model" });
  assert.deepEqual([job.question, job.model], ["How?", "other:model"]);
  const { answering, recorded, counted } = drive(made);
  const renamed = requests.map(({ kind, calls, answers }) => ({
    kind,
    answers,
    calls: calls.map(({ messages }) => ({
      model: "other:model",
      messages:
        kind === "root" ? messages.map((message) => ({ ...message, content: `${message.content}?` })) : messages,
    })),
  }));
  const third = renamed.findLastIndex(
    ({ kind }, at) => kind === "root" && renamed.slice(0, at).filter((one) => one.kind === "root").length === 2,
  );
  for (const request of renamed.slice(0, third))
    assert.deepEqual(
      await asked(answering, request),
      request.answers.map(({ text }, index) => [index, text]),
    );
  assert.equal(recorded.length, 1);
  assert.match(
    recorded[0],
    /^forked from iteration 3 of the run "Who was.*" by the default model: iterations 1 to 2 are answered from its log\.$/,
  );
  assert.equal(counted.length, renamed.slice(0, third).flatMap(({ calls }) => calls).length);
  for (const request of renamed.slice(third)) assert.deepEqual(await asked(answering, request), []);
  assert.deepEqual(
    recorded.slice(1),
    renamed.slice(third).map(() => "live"),
  );
});

test("a fork goes on live, and says so, where its code asks something else", async () => {
  const log = logOf("needle_in_batches");
  const requests = requestsOf(eventsOf(log));
  const made = openFork({ log, iteration: 4 });
  const { answering, recorded } = drive(made);
  await asked(answering, requests[0]);
  await asked(answering, { kind: "sub", calls: [{ model: null, messages: [{ role: "user", content: "new" }] }] });
  assert.match(recorded[1], /^in iteration 1 the run took another way .*from here on models are asked/);
  await asked(answering, requests[1]);
  assert.deepEqual(recorded.slice(2), ["live", "live"]);
});

test("a fork runs code of the caller in place of a reply, unpaid, and is live from there on", async () => {
  const log = logOf("needle_in_batches");
  const requests = requestsOf(eventsOf(log));
  const made = openFork({ log, iteration: 1, code: ["x = 1", "print('```')"] });
  const { answering, recorded } = drive(made);
  const written = "```repl\nx = 1\n```\n\n````repl\nprint('```')\n````";
  assert.deepEqual(await asked(answering, requests[0]), [[0, written]]);
  assert.match(recorded[0], /nothing is answered from its log, and iteration 1 runs code that the user wrote\.$/);
  assert.deepEqual(answering.usage(), {});
  assert.deepEqual(await asked(answering, requests[1]), []);
  assert.equal(recorded[1], "live");
  for (const code of ["", [" "], [1], 5])
    assert.throws(() => openFork({ log, iteration: 1, code }), { name: "ConfigError", message: /fork.code must be/ });
});

test("an impossible fork is refused with the number", () => {
  const log = logOf("needle_in_batches");
  const refused = (iteration, message) =>
    assert.throws(() => openFork({ log, iteration }), { name: "ConfigError", message });
  refused(0, /at least 1, not 0/);
  refused(1.5, /not 1.5/);
  refused(9, /has 4 iterations; it cannot be forked from iteration 9/);
  const limits = { max_iterations: 2, max_depth: 1 };
  const job = { ...jobOf(eventsOf(log)[0]), limits };
  assert.throws(() => openFork({ log, iteration: 3 }).job(job), {
    name: "ConfigError",
    message: /needs maxIterations of at least that, not 2/,
  });
});
