// Calls ahead against a scripted endpoint: an equal request takes the call that left, the others are told as unused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openBroker } from "../../../worker/calls/broker.js";
import { done, framesIn, json, prompt, sse } from "../scripted_endpoint.js";

const encoder = new TextEncoder();
const ROOT = { op: "complete", kind: "root", calls: [prompt("the question")] };
const sub = (...texts) => ({ op: "complete", kind: "sub", calls: texts.map((text) => prompt(text)) });

/** A broker whose root reply stays open until `endRoot`, and whose sub-calls wait for `reply`. */
function opened({
  mayLeave = true,
  fail = false,
  overlap = true,
  known = null,
  refused = null,
  weighed = Promise.resolve(),
  answer = (text) => `sub:${text}`,
} = {}) {
  const log = [];
  const posts = [];
  const cancelled = [];
  let endRoot;
  let calls = 0;
  const started = (kind, asked, ahead = null) => {
    const first = calls;
    calls += asked.length;
    log.push([kind, ahead, ...asked.map(({ messages }) => messages.at(-1).content)]);
    return first;
  };
  const witness = {
    started,
    replyPiece: () => {},
    reasoningPiece: () => {},
    noticed: () => {},
    finished: (call, outcome) => log.push(["finished", call, outcome.completion?.text ?? outcome.error.type]),
    ahead: {
      leave: async ([{ messages }], signal) => {
        await weighed;
        if (fail) throw new Error("the ledger failed");
        return mayLeave && !signal.aborted && messages[0].content !== refused ? { entered: Promise.resolve([]) } : null;
      },
      used: (asked) => started("sub", asked, "used"),
      unused: (asked, outcomes) => {
        const texts = outcomes.map((outcome) => outcome.completion?.text ?? outcome.error.type);
        log.push(["unused", ...asked.map(({ messages }) => messages[0].content), ...texts]);
      },
    },
  };
  const fetcher = async (_url, { body, signal, headers }) => {
    const asked = JSON.parse(new TextDecoder().decode(body));
    posts.push([asked.prompts ?? asked.prompt ?? "root", headers["idempotency-key"]]);
    if (asked.messages) {
      const reply = new ReadableStream({
        start(controller) {
          controller.enqueue(encoder.encode(sse({ delta: "A reply" })));
          signal.addEventListener("abort", () => controller.error(signal.reason));
          endRoot = () => {
            controller.enqueue(encoder.encode(sse(done)));
            controller.close();
          };
        },
      });
      return new Response(reply, { headers: { "content-type": "text/event-stream" } });
    }
    signal.throwIfAborted();
    const text = answer(asked.prompt);
    if (text !== null) return json({ text, ...done });
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const cancel = async (_endpoint, key) => void cancelled.push(key);
  const broker = openBroker({ endpoint: "/api/rlm", witness, fetcher, cancel, overlap });
  const pieces = [];
  /** The frames of a request, which the broker answers. */
  const ask = (request, signal = new AbortController().signal) =>
    new Promise((resolve, reject) => {
      const written = [];
      const answering = {
        signal,
        write: (bytes) => written.push(bytes),
        piece: (piece) => pieces.push(piece),
        end: () => resolve(framesIn(Buffer.concat(written)).map(({ text, meta }) => text || meta.type)),
        fail: reject,
        idempotencyKey: (call) => `run/${call}`,
        aheadKey: () => `run/0/ahead/${request.calls[0].messages[0].content}`,
      };
      broker.handle(JSON.stringify(request), answering, []).catch(reject);
    });
  const expected = async (_body, { calls: [{ messages }] }) =>
    messages[0].content === known ? null : `run/0/ahead/${messages[0].content}`;
  const ahead = (request) =>
    broker.ahead({ type: "ahead", epoch: 1, body: JSON.stringify(request), data: [] }, expected);
  return { ask, ahead, broker, log, posts, cancelled, pieces, endRoot: () => endRoot() };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** The same with a root call that is open, and of which a piece came. */
async function writing(options) {
  const run = opened(options);
  const root = run.ask(ROOT);
  while (run.pieces.length === 0) await settled();
  return { ...run, root };
}

test("an equal request takes the call that left ahead, and is recorded when it is made", async () => {
  const { ask, ahead, log, posts, pieces, endRoot, root } = await writing();
  assert.deepEqual(pieces, [{ at: 0, text: "A reply" }]);
  ahead(sub("one"));
  await settled();
  assert.deepEqual(log, [["root", null, "the question"]]);
  assert.deepEqual(
    posts.map(([asked]) => asked),
    ["root", "one"],
  );
  assert.equal(posts[1][1], "run/0/ahead/one");
  endRoot();
  assert.deepEqual(await root, ["A reply"]);
  assert.deepEqual(await ask(sub("one")), ["sub:one"]);
  assert.deepEqual(await ask(sub("one")), ["sub:one"]);
  assert.deepEqual(posts.slice(1), Array(2).fill(["one", "run/0/ahead/one"]));
  assert.deepEqual(
    log.filter(([kind]) => kind === "sub").map(([, sent]) => sent),
    ["used", null],
  );
});

test("a call that is still under way is joined", async () => {
  let reply = null;
  const waiting = { answer: () => reply };
  const { ask, ahead, endRoot, root, broker, log } = await writing(waiting);
  ahead(sub("one"));
  await settled();
  endRoot();
  await root;
  const stop = new AbortController();
  const asked = ask(sub("one"), stop.signal);
  await settled();
  stop.abort();
  assert.deepEqual(await asked, ["stopped"]);
  assert.equal(broker.usage().default.calls, 1);
  assert.equal(log.filter(([kind]) => kind === "unused").length, 0);
  reply = "late";
});

test("calls that no block made are cancelled, counted, and told before the next root call", async () => {
  const { ask, ahead, log, cancelled, posts, endRoot, root, broker } = await writing({
    answer: (text) => (text === "slow" ? null : `sub:${text}`),
  });
  ahead(sub("quick"));
  ahead(sub("slow"));
  await settled();
  endRoot();
  await root;
  const next = ask(ROOT);
  await settled();
  assert.deepEqual(log.slice(2, 5), [
    ["unused", "quick", "sub:quick"],
    ["unused", "slow", "stopped"],
    ["root", null, "the question"],
  ]);
  assert.deepEqual(cancelled, [posts[2][1]]);
  assert.equal(broker.usage().default.calls, 1);
  assert.equal(broker.usage().m.calls, 2);
  endRoot();
  await next;
});

test("the end of the run drops them too", async () => {
  const { ahead, log, broker, root } = await writing({ answer: () => null });
  ahead(sub("slow"));
  await settled();
  broker.close();
  await root;
  assert.deepEqual(
    log.filter(([kind]) => kind === "unused"),
    [["unused", "slow", "stopped"]],
  );
});

test("a stop while a request waits for its call to be weighed ends both", async () => {
  for (const isClosed of [true, false]) {
    let weigh;
    const weighed = new Promise((resolve) => void (weigh = resolve));
    const { ask, ahead, log, posts, endRoot, root, broker } = await writing({ answer: () => null, weighed });
    ahead(sub("one"));
    endRoot();
    await root;
    const stop = new AbortController();
    const asked = ask(sub("one"), stop.signal);
    await settled();
    if (isClosed) broker.close();
    else stop.abort();
    weigh();
    if (!isClosed) assert.deepEqual(await asked, ["stopped"]);
    await settled();
    const told = log.filter(([kind]) => kind === "unused" || kind === "sub");
    assert.deepEqual(told, isClosed ? [] : [["sub", "used", "one"]]);
    if (isClosed) assert.equal(posts.length, 1);
  }
});

test("a call that may not leave ahead leaves no trace, and its request is made as any", async () => {
  for (const options of [{ mayLeave: false }, { fail: true }]) {
    const { ask, ahead, log, posts, endRoot, root } = await writing(options);
    ahead(sub("one"));
    await settled();
    assert.equal(posts.length, 1);
    endRoot();
    await root;
    assert.deepEqual(await ask(sub("one")), ["sub:one"]);
    assert.deepEqual(log.filter(([kind]) => kind === "sub")[0], ["sub", null, "one"]);
  }
});

test("no call overtakes one that may not leave, but for one whose answer is known", async () => {
  const { ask, ahead, posts, endRoot, root } = await writing({ known: "known", refused: "two" });
  for (const text of ["one", "known", "three", "two", "four"]) ahead(sub(text));
  await settled();
  const asked = () => posts.map(([asked]) => asked);
  assert.deepEqual(asked(), ["root", "one", "three"]);
  endRoot();
  await root;
  assert.deepEqual(await ask(sub("four")), ["sub:four"]);
  assert.deepEqual(asked(), ["root", "one", "three", "four"]);
});

test("a request whose answer is known does not leave ahead", async () => {
  const { ahead, posts, endRoot, root } = await writing({ known: "one" });
  ahead(sub("one"));
  ahead(sub("two"));
  await settled();
  assert.deepEqual(
    posts.map(([asked]) => asked),
    ["root", "two"],
  );
  endRoot();
  await root;
});

test("other models, schemas and prompts are other requests", async () => {
  const { ask, ahead, posts, endRoot, root } = await writing();
  ahead(sub("one"));
  ahead({ ...sub(), calls: [prompt("two", "m")] });
  await settled();
  endRoot();
  await root;
  await ask(sub("One"));
  await ask(sub("two"));
  await ask({ ...sub(), calls: [{ ...prompt('one {"a": 1}'), schema: '{"a": 1}' }] });
  assert.equal(posts.length, 6);
});

test("none leave without a root call that is open, beyond the bounds, or without the option", async () => {
  const { ahead, posts, endRoot, root } = await writing();
  for (let request = 0; request < 70; request += 1) ahead(sub(`${request}`));
  await settled();
  assert.equal(posts.length, 65);
  endRoot();
  await root;
  ahead(sub("late"));
  await settled();
  assert.equal(posts.length, 65);
  const { ahead: many, posts: sent, endRoot: end, root: open } = await writing();
  many(sub(...Array.from({ length: 1_001 }, (_, index) => `${index}`)));
  await settled();
  assert.equal(sent.length, 1);
  end();
  await open;
  const off = await opened({ overlap: false });
  assert.throws(() => off.ahead(sub("one")), /unexpected message ahead/);
  const { ahead: other, endRoot: over, root: last } = await writing();
  assert.throws(() => other(ROOT), /calls ahead are sub-calls of text/);
  over();
  await last;
});
