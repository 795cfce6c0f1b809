// Maths in Markdown: which text is TeX, and which is money, code or a variable of a shell.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Marked } from "marked";
import { MATH } from "../../web/math.js";

const marked = new Marked({ gfm: true, extensions: MATH });
const texOf = (text) =>
  [...marked.parse(text).matchAll(/<code>\ue000([di])([\s\S]*?)<\/code>/g)].map(([, how, tex]) => how + tex);

test("each form of TeX is maths, in a line and on its own", () => {
  assert.deepEqual(texOf("mass $E=mc^2$, \\(a_b\\), **$n$**, $x$-axis and $\\$5$"), [
    "iE=mc^2",
    "ia_b",
    "in",
    "ix",
    "i\\$5",
  ]);
  assert.deepEqual(texOf("so \\[x\n= 2\\] and $$y$$"), ["dx\n= 2", "dy"]);
  assert.deepEqual(texOf("text\n$$\n\\frac{a}{b}\n= c\n$$\nafter"), ["d\\frac{a}{b}\n= c"]);
  assert.deepEqual(texOf("| a |\n|---|\n| $\\alpha<1$ |"), ["i\\alpha&lt;1"]);
  assert.deepEqual(texOf("$3 \\times 4$ and $1/2$"), ["i3 \\times 4", "i1/2"]);
});

for (const text of [
  "It is $5 and $6.",
  "costs $5-$6, US$5 and C$6, $10M–$20M, $1,000* or $2*",
  "$HOME:$PATH and $HOME and $PATH",
  "I paid $5 (or 5$).",
  "code `$x$` and\n\n```\n$y$\n```",
  "\\$5 and 6\\$",
  "$$ $$ and $ $ and $\n\n$",
  `one $ ${"x".repeat(9_000)} $`,
])
  test(`no maths: ${JSON.stringify(text.slice(0, 40))}`, () => assert.deepEqual(texOf(text), []));

test("a long text of dollar signs takes no time", () => {
  const started = performance.now();
  texOf("$a ".repeat(20_000));
  assert.ok(performance.now() - started < 5_000);
});

// seconds each: a text of this length is the longest that is shown as Markdown
for (const piece of ["$$ a\n", "\\[\n", "\\( ", "$a\n\n"])
  test(`nor does one of ${JSON.stringify(piece)}`, () => {
    const before = process.cpuUsage();
    texOf(piece.repeat(Math.floor(100_000 / piece.length)));
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 10_000_000, `${(user + system) / 1e6} s`);
  });
