// The ledger and the gate: exact counts, and leave to go.

import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openAllowedModels } from "../../../worker/egress/allowed_models.js";
import { openDestinations } from "../../../worker/egress/destinations.js";
import { openEgress, reenter } from "../../../worker/egress/egress.js";
import { openGate } from "../../../worker/egress/gate.js";
import { openLedger } from "../../../worker/egress/ledger.js";
import { readDestination } from "../../../worker/wire/destination.js";

const SECRET = "The vault in Lisbon opens with the code 48-17-93, says Ágnes Müller 🦊 of the archive.";
const FILLER = Array.from({ length: 300 }, (_, line) => `Line ${line * 7919} of the minutes, on the garden.\n`).join(
  "",
);
const TEXT = `${FILLER}${SECRET}\n${FILLER.toUpperCase()}`;
const START = [...FILLER].length;
const LENGTH = [...SECRET].length;

const LIST = {
  default: "openai:big",
  models: [
    { id: "openai:big", host: "openai" },
    { id: "ollama:small", host: "on this machine" },
  ],
};
const DESTINATIONS = openDestinations("https://here.example/api/rlm", async () => LIST);

function encode(text) {
  return new TextEncoder().encode(text).buffer;
}
function textContext(text, name = "context") {
  return { name, type: "text", data: encode(text) };
}
function fileContext(name, data) {
  return { name, type: "file", data: new Blob([data]) };
}
function jsonContext(value) {
  return { name: "context", type: "json", data: encode(JSON.stringify(value)) };
}
function sub(...prompts) {
  return prompts.map((content) => ({ model: "m", messages: [{ role: "user", content }] }));
}

function ledgerOf(...contexts) {
  const ledger = openLedger({ destinations: DESTINATIONS });
  ledger.add(contexts);
  return ledger;
}
async function spansIn(ledger, prompt) {
  return (await ledger.weigh(sub(prompt), new Map()))[0].spans;
}
function slices(text, spans) {
  return spans.map(({ start, end }) => [...text].slice(start, end).join(""));
}

function open({ models = ["m", "other", null], ...rules } = {}, contexts = [textContext(TEXT)], usage = {}) {
  const ledger = ledgerOf(...contexts);
  const events = [];
  const endings = [];
  const allowedModels = openAllowedModels({ models, defaultModel: ledger.destinations.defaultModel });
  const gate = openGate({ maxContextChars: null, onEgress: null, allowedModels, ...rules });
  const about = { ledger, gate, recorder: { record: (event) => events.push(event) }, path: [], usage: () => usage };
  const egress = openEgress({ ...about, onRootDenied: (detail) => endings.push(detail) });
  const { signal } = new AbortController();
  const leave = async (calls, { kind = "sub", first = 0, ...more } = {}) => {
    const denied = await egress.leave({ first, kind, calls, signal, ...more });
    await ledger.settled();
    return denied?.detail ?? null;
  };
  return { ledger, events, endings, leave };
}

test("a planted sentence is found with its place in characters and in bytes", async () => {
  const [span, ...more] = await spansIn(ledgerOf(textContext(TEXT)), `Who? "${SECRET}" Say.`);
  const before = new TextEncoder().encode(FILLER).length;
  const size = new TextEncoder().encode(SECRET).length;
  assert.deepEqual(span, {
    name: "context",
    start: START,
    end: START + LENGTH,
    byte_start: before,
    byte_end: before + size,
  });
  assert.deepEqual(more, []);
});

test("a character that is not whole is left out", async () => {
  const tail = "x".repeat(60);
  const ledger = ledgerOf(textContext(`${"y".repeat(50)}é${tail}`));
  const [span] = await spansIn(ledger, `${"y".repeat(50)}è`);
  assert.deepEqual([span.start, span.end, span.byte_end], [0, 50, 50]);
  const [after] = await spansIn(ledger, `ĩ${tail}`); // its last byte is that of é
  assert.deepEqual([after.start, after.end], [51, 111]);
});

test("JSON is searched as it is serialised, and a string of it is found although its escapes are gone", async () => {
  const value = { notes: [{ text: `He said "yes"\nand left the house at nine, ${SECRET}` }] };
  const serialised = JSON.stringify(value);
  const spans = await spansIn(ledgerOf(jsonContext(value)), `About this: ${value.notes[0].text}`);
  assert.equal(slices(serialised, spans)[0], JSON.stringify(value.notes[0].text).slice(1, -1));
});

test("what a REPL shows with escapes is found in the text", async () => {
  const shown = JSON.stringify(FILLER.slice(0, 300));
  const spans = await spansIn(ledgerOf(textContext(TEXT)), `Output:\n${shown}`);
  assert.deepEqual(slices(TEXT, spans), [FILLER.slice(0, 300)]);
});

test("files are searched each by its name; one that is no text is counted in bytes", async () => {
  const binary = Uint8Array.from([255, 254, ...new TextEncoder().encode(SECRET), 255]);
  const ledger = ledgerOf(
    fileContext("a.txt", FILLER),
    fileContext("b.bin", binary),
    fileContext("c.txt", `é${SECRET.slice(10)}`),
  );
  const [inB] = await spansIn(ledger, SECRET);
  assert.deepEqual([inB.name, inB.start, inB.byte_start], ["b.bin", 2, 2]);
  const both = await spansIn(ledger, `${FILLER.slice(0, 40)} é${SECRET.slice(10)}`);
  assert.ok(both.some(({ name, start, end }) => name === "a.txt" && start === 0 && end >= 39));
  assert.ok(both.some(({ name, start, byte_start }) => name === "c.txt" && start === 0 && byte_start === 0));
});

test("a text over the end of one file and the beginning of the next is two spans", async () => {
  const [one, two] = [FILLER.slice(0, 500), SECRET];
  const spans = await spansIn(ledgerOf(fileContext("a", one), fileContext("b", two)), one.slice(-100) + two);
  assert.deepEqual(
    spans.map(({ name, start, end }) => [name, start, end]),
    [
      ["a", 400, 500],
      ["b", 0, LENGTH],
    ],
  );
});

test("a prompt longer than what is searched at a time is searched whole", async () => {
  const lines = Array.from({ length: 90_000 }, (_, line) => `row ${line}: ${(line * 2654435761) % 4294967296}`).join(
    "\n",
  );
  const [span, ...more] = await spansIn(ledgerOf(textContext(lines)), lines);
  assert.deepEqual([span.start, span.end, more.length], [0, lines.length, 0]);
});

test("a file that is gone or too large is told, and the others are searched", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "rlm-")), "gone");
  await writeFile(path, "x".repeat(99));
  const gone = await openAsBlob(path);
  await rm(path);
  const large = new Blob([]);
  Object.defineProperty(large, "size", { value: 300 << 20 });
  const ledger = ledgerOf(
    { name: "gone", type: "file", data: gone },
    { name: "large", type: "file", data: large },
    fileContext("c", SECRET),
  );
  assert.equal((await spansIn(ledger, SECRET))[0].name, "c");
  const { unsearched } = ledger.summary();
  assert.equal(unsearched.length, 2);
  assert.match(unsearched.join(), /large: 314572800 bytes.*gone: it cannot be read any more \(NotReadableError\)/);
});

test("each call is told with its own spans, and a character is counted once in all", async () => {
  const { events, leave, ledger } = open();
  await leave(sub(SECRET, SECRET.slice(0, 50), "nothing of it"));
  assert.deepEqual(
    events.map((event) => [event.call, event.context_chars, event.new_chars]),
    [
      [0, LENGTH, LENGTH],
      [1, 50, 0],
      [2, 0, 0],
    ],
  );
  const { share, contextChars, calls, bytes } = ledger.summary();
  assert.deepEqual([contextChars, calls, share], [LENGTH, 3, LENGTH / [...TEXT].length]);
  assert.equal(bytes, new TextEncoder().encode(`${SECRET + SECRET.slice(0, 50)}nothing of it`).length);
  assert.equal(events[0].to, "https://here.example → m");
});

test("spans are bounded in number, and the rest is counted", async () => {
  const { events, leave } = open();
  const lines = FILLER.split("\n").slice(0, 150);
  await leave(
    sub(
      lines
        .filter((_, index) => index % 2 === 0)
        .concat(lines.filter((_, index) => index % 2 === 1))
        .join("|?|"),
    ),
  );
  assert.deepEqual([events[0].spans.length, events[0].more_spans], [100, 50]);
});

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

test("a message that is sent again is counted again in what is sent, and once in the context", async () => {
  const { leave, ledger } = open();
  const root = (...contents) => [{ model: null, messages: contents.map((content) => ({ role: "user", content })) }];
  await leave(root(SECRET), { kind: "root" });
  await leave(root(SECRET, "and?"), { kind: "root", first: 1 });
  const { chars, contextChars } = ledger.summary();
  assert.deepEqual([chars, contextChars], [2 * LENGTH + 4, LENGTH]);
});

test("calls of an earlier session are entered from its log, without those that were denied", async () => {
  const ledger = ledgerOf(textContext(TEXT));
  const stamp = { seq: 0, path: [], seconds: 0 };
  const started = (call, kept, ...contents) => ({
    type: "call_started",
    ...stamp,
    call,
    kind: "root",
    model: null,
    kept,
    batch: 1,
    messages: contents.map((content) => ({ role: "user", content })),
  });
  await reenter(ledger, [
    started(0, 0, SECRET),
    started(1, 1, "more"),
    started(2, 0, FILLER),
    { type: "egress", ...stamp, call: 2, denied: "no" },
  ]);
  const { calls, denied, chars, contextChars } = ledger.summary();
  assert.deepEqual(
    { calls, denied, chars, contextChars },
    { calls: 2, denied: 1, chars: 2 * LENGTH + 4, contextChars: LENGTH },
  );
});

test("later contexts of a session have the names of the REPL", async () => {
  const ledger = openLedger({ destinations: DESTINATIONS });
  ledger.add([]);
  ledger.add([textContext(SECRET)]);
  ledger.add([]);
  ledger.add([fileContext("a.txt", FILLER)]);
  const names = (await spansIn(ledger, SECRET + FILLER)).map(({ name }) => name);
  assert.deepEqual(names, ["context_1", "context_2/a.txt"]);
});

// -------------------------------------------------------------------------------------------------------- destinations

function to(model, ...prompts) {
  return sub(...prompts).map((call) => ({ ...call, model }));
}

test("a destination tells origin, provider, model and host class, and the default's name where the server lists it", async () => {
  assert.deepEqual(await DESTINATIONS.of("openai:big"), {
    to: "https://here.example → openai:big (openai)",
    origin: "https://here.example",
    provider: "openai",
    model: "openai:big",
    host: "openai",
  });
  assert.deepEqual(await DESTINATIONS.of(null), await DESTINATIONS.of("openai:big"));
  assert.equal((await DESTINATIONS.of("gemini:new")).to, "https://here.example → gemini:new");
});

test("this machine is the server's machine where the page is not on it", async () => {
  const local = openDestinations("http://127.0.0.1:8000/api/rlm", async () => LIST);
  assert.equal((await local.of("ollama:small")).host, "on this machine");
  assert.equal((await DESTINATIONS.of("ollama:small")).host, "on the server's machine");
});

for (const [name, list] of Object.entries({ failing: () => Promise.reject(new Error("gone")), odd: async () => [7] }))
  test(`a list of models that is ${name} makes a destination less exact, and stops nothing`, async () => {
    const destinations = openDestinations("https://here.example/api/rlm", list);
    assert.equal((await destinations.of(null)).to, "https://here.example → the server's default model");
    assert.equal((await destinations.of("a:b")).to, "https://here.example → a:b");
  });

test("the line of a destination is read back from a log, and an older one is the origin alone", async () => {
  for (const model of ["openai:big", "ollama:small", "gemini:new"]) {
    const destination = await DESTINATIONS.of(model);
    assert.deepEqual(readDestination(destination.to), destination);
  }
  const old = { to: "https://here.example", origin: "https://here.example", provider: null, model: null, host: null };
  assert.deepEqual(readDestination("https://here.example"), old);
});

test("a span that goes to a second destination is new there, and the totals count it once", async () => {
  const { leave, events, ledger } = open();
  await leave(to("m", SECRET));
  await leave(to("other", SECRET), { first: 1 });
  await leave(to("m", SECRET), { first: 2 });
  assert.deepEqual(
    events.map((event) => [event.to, event.new_chars, event.left_chars]),
    [
      ["https://here.example → m", LENGTH, LENGTH],
      ["https://here.example → other", LENGTH, LENGTH],
      ["https://here.example → m", 0, LENGTH],
    ],
  );
  const { contextChars, destinations } = ledger.summary();
  assert.equal(contextChars, LENGTH);
  assert.deepEqual(
    destinations.map(({ model, calls, contextChars: own }) => [model, calls, own]),
    [
      ["m", 2, LENGTH],
      ["other", 1, LENGTH],
    ],
  );
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
