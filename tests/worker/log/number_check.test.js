import assert from "node:assert/strict";
import { test } from "node:test";

import { numbersIn } from "../../../worker/log/number_forms.js";
import { atOnce, checksOf, eventsIn, looseNumbers } from "../../../worker/log/number_check.js";

/** Output of code, and a right answer that the model wrote after it. @type {[shown: string, answer: string][]} */
const RIGHT = [
  ["total 1234567", "The total is 1,234,567."],
  ["total 1234567", "The total is about 1.2 million."],
  ["total 1234567", "Die Summe ist 1.234.567."],
  ["total 1234567", "La somme est 1 234 567."],
  ["total 1234567", "Die Summe ist rund 1,2 Mio."],
  ["total 1_234_567", "It is 1'234'567."],
  ["1,234,567.89 in all", "1234567.89"],
  ["1.234.567,89 EUR", "They paid €1,234,567.89."],
  ["0.4567", "The share is 45.67 %."],
  ["0.4567", "The share is 46%."],
  ["0.4567", "The share is roughly 46 percent."],
  ["45.67%", "The share is 0.4567."],
  ["3.14159265", "It is 3.14."],
  ["3.14159265", "It is 3.1416."],
  ["2.675e-05", "0.00002675"],
  ["1500000000 bytes", "The file has 1.5 GB."],
  ["1610612736 bytes", "The file has 1.5 GiB."],
  ["12,034 rows", "There are 12,000 rows."],
  ["12034 rows", "There are about 12,000 rows."],
  ["1234 of them", "There are more than 1,200 of them."],
  ["18 people", "About 20 people came."],
  ["347 items", "There are over 300 items."],
  ["90 seconds", "It took 1.5 minutes."],
  ["5400", "It took 1.5 hours."],
  ["120 minutes", "It took 120 min, that is 2 hours."],
  ["0.25 s", "It took 250 ms."],
  ["1842-05-04T10:30:00Z", "It was signed on 4 May 1842 at 10:30."],
  ["4 May 1842", "It was signed on 1842-05-04."],
  ["28 November 2025", "On 2025-11-28 it ended."],
  ["28.11.2025", "It ended on 28 November 2025."],
  ["lamp 417 was lit", "Lamp 417 was the one."],
  ["code ZX-4471-B", "The code is ZX-4471-B."],
  ["forty-two lanterns", "They counted 42 lanterns."],
  ["three hundred crowns", "He paid 300 crowns."],
  ["twelve of twenty", "12 of 20 agreed."],
  ["[100, 200, 300]", "[100,200,300]"],
  ["100\n250", "The two are 100 and 250; both stand in the list."],
  ["pages: 61", "1. The first point\n2. The second\n\nThere are 61 pages."],
  ["none", "There are 3 reasons: [1], [2] and [12]."],
  ["none", "11. The eleventh point\n12. The twelfth"],
  ["none", "It was in the 19th century, on the 21st."],
  ["none", "Use sha256 and UTF-8."],
  ["$1,200.50", "It cost $1200.50."],
  ["£950k", "It cost £950,000."],
  ["1.5m people", "1,500,000 people live there."],
  ["2.4 billion", "2,400 million"],
  ["555-0134", "Call 555-0134."],
  ["version 314.0.7", "It is version 314.0.7."],
  ["192.168.10.20", "The host is 192.168.10.20."],
  ["{'a': 17, 'b': 28}", '{"a": 17, "b": 28}'],
  ["mean 71.25", "On average 71 points."],
  ["12.5 km", "It is 12,500 m away."],
  ["75 cm", "0.75 m"],
  ["3 tonnes", "3,000 kg"],
  ["2 weeks", "14 days"],
  ["-40.5 degrees", "It fell to -40.5 degrees."],
  ["1e6", "1,000,000"],
  ["6 dozen", "72 eggs"],
  ["page 1,999 of 2,000", "Page 1999"],
  ["Ｎo. ٣ 88", "88"],
];

/** The same outputs, and answers with a number that none of them holds. @type {[shown: string, answer: string, loose: string[]][]} */
const INVENTED = [
  ["total 1234567", "The total is 1,334,567.", ["1,334,567"]],
  ["total 1234567", "The total is about 1.4 million.", ["1.4 million"]],
  ["0.4567", "The share is 47%.", ["47%"]],
  ["0.4567", "The share is 5 %.", ["5 %"]],
  ["3.14159265", "It is 3.15.", ["3.15"]],
  ["1500000000 bytes", "The file has 1.7 GB.", ["1.7 GB"]],
  ["12034 rows", "There are 13,000 rows.", ["13,000"]],
  ["4 May 1842", "It was signed on 4 May 1843.", ["1843"]],
  ["4 May 1842", "It was signed in 1840.", ["1840"]],
  ["100\n250", "Together they are 350.", ["350"]],
  ["lamp 417", "Lamp 418 and lamp 417", ["418"]],
  ["code ZX-4471-B", "The code is ZX-4472-B.", ["4472"]],
  ["90 seconds", "It took 2.5 minutes.", ["2.5 minutes"]],
  ["nothing", "It cost $5.", ["$5"]],
  ["nothing", "😀 They are 77, or 88.", ["77", "88"]],
  ["forty-two lanterns", "They counted 43 lanterns.", ["43"]],
  ["[100, 200, 300]", "[100, 200, 301]", ["301"]],
  ["555-0134", "Call 555-0135.", ["0135"]],
  ["1842 1843", "In 18421843", ["18421843"]],
  ["12 34", "It is 1,234.", ["1,234"]],
];

function stamped(events) {
  return events.map((event, seq) => ({ seq, path: [], seconds: 0, ...event }));
}

/** Events of a run: one block with its output, then a reply with the answer. */
function logOf(shown, answer, ...further) {
  const observation = { stdout: shown, stdout_chars: shown.length, value: null, error: null, seconds: 0 };
  return stamped([
    { type: "run_started", question: "How much?", contexts: [{ name: "context", type: "str", size: 61 }] },
    ...further,
    { type: "block_finished", iteration: 1, block: 0, observation },
    { type: "iteration_finished", iteration: 2, reply: `FINAL(${JSON.stringify(answer)})`, blocks: 0 },
  ]);
}

function loose(answer, events, evidence = []) {
  return atOnce(looseNumbers(answer, evidence, () => events));
}

test("right answers have no loose number, whatever separators, units and rounding they are written with", () => {
  assert.ok(RIGHT.length >= 50);
  for (const [shown, answer] of RIGHT)
    assert.deepEqual(loose(answer, logOf(shown, answer)), [], `${shown} -> ${answer}`);
});

test("numbers that occur nowhere are listed, with their place in characters", () => {
  for (const [shown, answer, expected] of INVENTED) {
    const found = loose(answer, logOf(shown, answer));
    assert.deepEqual(
      found.map(({ text }) => text),
      expected,
      `${shown} -> ${answer}`,
    );
    for (const { text, start, end } of found) assert.equal([...answer].slice(start, end).join(""), text);
  }
});

test("a number is known from the question, a sub-reply, a tool, a child run, the first message, or a quote", () => {
  const answer = "It is 4711.";
  const call = (kind, path = []) => [
    { type: "call_started", call: 1, kind, path, kept: 0, messages: [{ role: "user", content: "x" }] },
    { type: "call_finished", call: 1, text: "4711", path },
  ];
  const first = { role: "user", content: "Context: 4711 characters" };
  const sources = [
    call("sub"),
    [{ type: "tool_called", result: { a: 4711 }, result_json: null }],
    [{ type: "run_finished", path: [0], answer: "4711" }],
    [{ type: "call_started", call: 1, kind: "root", kept: 0, messages: [first] }],
  ];
  for (const further of sources) assert.deepEqual(loose(answer, logOf("none", answer, ...further)), []);
  assert.deepEqual(loose(answer, logOf("none", answer), [{ quote: "paid 4711", status: "changed" }]), []);
  const unheld = [{ type: "call_started", call: 1, kind: "sub", kept: 0, messages: [] }];
  assert.deepEqual(loose(answer, logOf("none", answer, ...unheld)), []);
  const own = [call("root"), call("compaction"), call("root", [0])];
  for (const further of own) assert.equal(loose(answer, logOf("none", answer, ...further)).length, 1);
  assert.equal(loose(answer, logOf("none", answer), [{ quote: "paid 4711", status: "missing" }]).length, 1);
});

test("a number that the model did not write was computed by its code, though nothing was printed", () => {
  const events = logOf("", "x");
  events.at(-1).reply = "```repl\nFINAL(sum(map(len, context)))\n```";
  assert.deepEqual(loose("4711", events), []);
  events.at(-1).reply = "```repl\nFINAL(f'{4_711:,}')\n```";
  assert.deepEqual(
    loose("4,711", events).map(({ text }) => text),
    ["4,711"],
  );
});

test("the log is read only where the answer makes a claim in numbers", () => {
  const unread = () => assert.fail("the log was read");
  const missing = [{ quote: "x", status: "missing" }];
  assert.deepEqual(atOnce(checksOf({ answer: "Ada, in 3 of 9 cases.", evidence: missing }, unread)), {
    numbers: [],
    supported: false,
  });
  const log = logOf("none", "77").map((event) => `${JSON.stringify(event)}\n`);
  const evidence = [{ quote: "a", status: "changed" }];
  const checks = atOnce(checksOf({ answer: "77", evidence }, () => eventsIn(log.join(""))));
  assert.deepEqual(checks, { numbers: [{ text: "77", start: 0, end: 2 }], supported: true });
});

test("a list of numbers of any length is read", () => {
  assert.match(numbersIn("1,".repeat(5e6)).next().value?.text ?? "", /^1(,1)+$/);
});
