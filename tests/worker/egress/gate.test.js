// The gate: limits, the question to the caller, and the models that may be asked, before anything leaves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openAllowedModels } from "../../../worker/egress/allowed_models.js";
import { openDestinations } from "../../../worker/egress/destinations.js";
import { openGate } from "../../../worker/egress/gate.js";
import { FILLER, LENGTH, SECRET, TEXT, open, sub, textContext, to } from "./opened.js";

test("a limit is exact to the character, and a denied request counts for nothing", async () => {
  const exact = open({ maxContextChars: LENGTH });
  assert.equal(await exact.leave(sub(SECRET)), null);
  assert.equal(await exact.leave(sub(SECRET)), null);
  assert.match(await exact.leave(sub(FILLER.slice(0, 40))), /40 more characters .* 85 of 85 have left/);
  const { calls, denied, contextChars } = exact.ledger.summary();
  assert.deepEqual([calls, denied, contextChars], [2, 1, LENGTH]);
  const below = open({ maxContextChars: LENGTH - 1 });
  assert.match(await below.leave(sub("harmless", SECRET)), /context limit reached: 85 more/);
  assert.deepEqual(
    below.events.map(({ denied: why, new_chars }) => [typeof why, new_chars]),
    [
      ["string", 0],
      ["string", 0],
    ],
  );
});

test("a limit holds for requests that come at once", async () => {
  const { leave, ledger } = open({ maxContextChars: 100 });
  const pieces = FILLER.split("\n").slice(0, 20);
  const denied = await Promise.all(pieces.map((piece, first) => leave(sub(piece), { first })));
  assert.ok(ledger.summary().contextChars <= 100);
  assert.equal(denied.filter((why) => why === null).length, ledger.summary().calls);
});

const ANSWERS = [
  ["allow", null],
  ["deny", /onEgress said no/],
  [{ deny: "too much" }, /too much/],
  [undefined, /gave no answer/],
  [true, /gave no answer/],
  [{ deny: 7 }, /gave no answer/],
  [Promise.resolve("allow"), null],
  [Promise.resolve("nonsense"), /gave no answer/],
];
for (const [answer, told] of ANSWERS)
  test(`onEgress answers ${JSON.stringify(answer)}`, async () => {
    const why = await open({ onEgress: () => answer }).leave(sub("x"));
    if (told === null) assert.equal(why, null);
    else assert.match(why, told);
  });

for (const fail of [
  () => {
    throw new Error("broken");
  },
  () => Promise.reject(new Error("broken")),
])
  test(`onEgress that fails (${fail.toString().length}) has denied`, async () => {
    assert.match(await open({ onEgress: fail }).leave(sub("x")), /denied before it left: onEgress failed: broken/);
  });

test("onEgress is told the numbers, one request after another", async () => {
  const asked = [];
  let open_ = 0;
  const onEgress = async (request) => {
    assert.equal((open_ += 1), 1);
    asked.push(request);
    await new Promise((resume) => {
      setTimeout(resume);
    });
    open_ -= 1;
    return "allow";
  };
  const usage = { m: { calls: 1, input_tokens: 100, output_tokens: 1, cached_tokens: 0, cost: 0.5 } };
  const { leave } = open({ onEgress }, [textContext(TEXT)], usage);
  await Promise.all([leave(sub(SECRET, "abc")), leave(sub(SECRET))]);
  const { prompts, chars, tokens, price, models, texts, contextChars, to } = asked[0];
  assert.deepEqual(
    { prompts, chars, tokens, price, models, to },
    { prompts: 2, chars: LENGTH + 3, tokens: 22, price: 0.11, models: ["m"], to: "https://here.example → m" },
  );
  assert.deepEqual(texts, [SECRET, "abc"]);
  assert.deepEqual(
    [contextChars.added, contextChars.left, asked[1].contextChars.added, asked[1].contextChars.left],
    [LENGTH, 0, 0, LENGTH],
  );
});

test("a stop ends the waiting for an answer, and the next is not kept from asking", async () => {
  const stop = new AbortController();
  const onEgress = ({ texts }) => {
    if (texts[0] !== SECRET) return "allow";
    stop.abort();
    return new Promise(() => {});
  };
  const { leave, events, endings } = open({ onEgress });
  const waiting = leave(sub(SECRET), { kind: "root", signal: stop.signal });
  const next = leave(sub("next"), { first: 1 });
  assert.equal(await waiting, "the call was stopped");
  assert.equal(await next, null);
  assert.deepEqual([events.map(({ call }) => call), endings], [[1], []]);
});

test("a denied root call ends the run, a denied sub-call does not", async () => {
  const { leave, endings } = open({ onEgress: () => ({ deny: "no" }) });
  await leave(sub("x"));
  assert.deepEqual(endings, []);
  await leave(sub("x"), { kind: "root" });
  assert.deepEqual(endings, ["denied before it left: no"]);
});

test("the limit of context characters counts a span once for each destination", async () => {
  const { leave } = open({ maxContextChars: LENGTH + 10 });
  assert.equal(await leave(to("m", SECRET)), null);
  assert.equal(await leave(to("m", SECRET)), null);
  const detail = `${LENGTH} more characters of the context would leave, and ${LENGTH} of ${LENGTH + 10} have left`;
  assert.ok((await leave(to("other", SECRET))).includes(detail));
});

test("a batch to two destinations asks once, with both", async () => {
  const requests = [];
  const onEgress = (request) => {
    requests.push(request);
    return "allow";
  };
  const { leave } = open({ onEgress });
  await leave([...to("m", SECRET), ...to("openai:big", SECRET)]);
  const [{ destinations, contextChars, to: line }] = requests;
  assert.deepEqual(
    [destinations.map(({ model }) => model), contextChars.added, line],
    [["m", "openai:big"], 2 * LENGTH, "https://here.example → m, https://here.example → openai:big (openai)"],
  );
});

test("a model beside the run's is refused by name with the list, and nothing of it leaves", async () => {
  const { leave, events, ledger, endings } = open({ models: ["openai:big", "ollama:small"] });
  const detail = await leave(to("other:searching", SECRET));
  assert.match(
    detail,
    /the model "other:searching" is not one of this run's models: openai:big, ollama:small\. Nothing/,
  );
  assert.deepEqual([ledger.summary().calls, ledger.summary().denied, ledger.summary().contextChars], [0, 1, 0]);
  assert.deepEqual(
    events.map((event) => [event.to, event.denied, event.new_chars]),
    [["https://here.example → other:searching", detail, 0]],
  );
  assert.deepEqual(endings, []);
  assert.equal(await leave(to("ollama:small", SECRET)), null);
});

test("a batch with one model beside the run's is refused whole", async () => {
  const { leave, ledger } = open({ models: ["m"] });
  assert.match(await leave([...to("m", "a"), ...to("n", "b")]), /"n" is not one/);
  assert.deepEqual([ledger.summary().calls, ledger.summary().denied], [0, 2]);
});

test("the default model may be asked by its name, and a named one as the default", async () => {
  assert.equal(await open({ models: [null] }).leave(to("openai:big", "x")), null);
  assert.equal(await open({ models: ["openai:big"] }).leave(to(null, "x")), null);
  assert.match(await open({ models: [null] }).leave(to("ollama:small", "x")), /run's models: openai:big\./);
  assert.match(await open({ models: ["ollama:small"] }).leave(to(null, "x")), /the server's default model is not one/);
});

test("where the default's name is not known, no name passes for it", async () => {
  const allowed = openAllowedModels({ models: [null], defaultModel: async () => null });
  assert.match(
    (await allowed.refusal(["openai:big"])).message,
    /models: the server's default, which has no name here\./,
  );
  assert.equal(await allowed.refusal([null]), null);
});

test("a model that searches at its vendor takes calls of code only where the user named it for them", async () => {
  const hasTools = async (model) => (model ?? "searching") === "searching";
  const options = { defaultModel: async () => "searching", hasTools };
  const inherited = openAllowedModels({ models: ["searching", "plain"], forCode: ["plain"], ...options });
  assert.match((await inherited.refusalToCode(["plain", "searching"])).message, /^the model "searching" searches or/);
  assert.match(
    (await inherited.refusalToCode([null])).message,
    /the server's default model searches.* Nothing was sent/,
  );
  assert.equal(await inherited.refusal(["searching"]), null);
  assert.equal(await inherited.refusalToCode(["plain"]), null);
  const named = openAllowedModels({ models: [null], forCode: ["searching"], ...options });
  assert.equal(await named.refusalToCode([null, "searching"]), null);
});

test("calls of the root run pass a model with tools, those of code and of child runs do not", async () => {
  const asked = [];
  const allowedModels = {
    refusal: async () => null,
    refusalToCode: async (models) => void asked.push(...models) ?? null,
  };
  const gate = openGate({ maxContextChars: null, onEgress: null, allowedModels });
  await gate.refusal([{ model: "a" }], { isOfCode: false });
  await gate.refusal([{ model: "b" }], { isOfCode: true });
  assert.deepEqual(asked, ["b"]);
});

test("the list marks models with tools of their vendor's", async () => {
  const list = { default: "a:searching", models: [{ id: "a:searching", vendor_tools: true }, { id: "a:plain" }] };
  const destinations = openDestinations("https://here.example/api/rlm", async () => list);
  const known = await Promise.all(["a:searching", "a:plain", null, "a:other"].map(destinations.hasTools));
  assert.deepEqual(known, [true, false, true, false]);
});

test("without a rule a call is weighed once its log is written, when it leaves", async () => {
  /** @type {(_: void) => void} */
  let isWritten = () => {};
  /** @type {import("../../../worker/wire/types.d.ts").Kind[]} */
  const asked = [];
  const written = (/** @type {"sub"} */ kind) => {
    asked.push(kind);
    return new Promise((/** @type {(_: void) => void} */ resolve) => void (isWritten = resolve));
  };
  const { leave, events } = open({ written });
  const left = leave(sub(SECRET));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([asked, events], [["sub"], []]);
  isWritten();
  assert.equal(await left, null);
  assert.deepEqual(
    events.map(({ new_chars }) => new_chars),
    [LENGTH],
  );
});

test("a call whose log cannot be written is weighed all the same", async () => {
  const { leave, events } = open({ written: () => Promise.reject(new Error("the store is full")) });
  assert.equal(await leave(sub(SECRET)), null);
  assert.equal(events.length, 1);
});
