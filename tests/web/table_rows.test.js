// Rows of a displayed table: cells, order and CSV.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf, openRows, orderOf } from "../../web/table_rows.js";

const always = () => true;

function table(columns, ...lines) {
  return openRows({ columns, text: lines.join("\n"), rows: lines.length });
}

test("cells are split by row, and their escapes are undone", () => {
  const rows = table(["a", "b"], "1\tx\\ty", "2", "\\\\n\t3\t4");
  assert.equal(rows.size, 3);
  assert.deepEqual(
    [rows.cells(0), rows.cells(1), rows.cells(2)],
    [
      ["1", "x\ty"],
      ["2", ""],
      ["\\n", "3"],
    ],
  );
  assert.equal(table(["a"]).size, 0);
  assert.deepEqual(table(["a"], "").cells(0), [""]);
});

test("numbers are ordered by value, texts by their numbers, empty cells last", async () => {
  const numbers = table(["n"], "10", "9", "", "-1");
  assert.deepEqual([...(await orderOf(numbers, 0, false, always))], [3, 1, 0, 2]);
  assert.deepEqual([...(await orderOf(numbers, 0, true, always))], [0, 1, 3, 2]);
  const texts = table(["t"], "b10", "b9", "", "a");
  assert.deepEqual([...(await orderOf(texts, 0, false, always))], [3, 1, 0, 2]);
});

test("many rows are ordered as one sort would, and equal ones keep their order", async () => {
  const values = Array.from({ length: 10_007 }, (_, row) => (row * 7919) % 101);
  const order = await orderOf(table(["n"], ...values.map(String)), 0, false, always);
  const expected = values.map((_, row) => row).sort((one, other) => values[one] - values[other] || one - other);
  assert.deepEqual([...order], expected);
});

test("an order that nobody wants any more is given up", async () => {
  const lines = Array.from({ length: 200_000 }, (_, row) => String(-row));
  const rows = openRows({ columns: ["n"], text: lines.join("\n"), rows: lines.length });
  assert.equal(await orderOf(rows, 0, false, () => false), null);
});

test("CSV quotes what needs it, and no cell is a formula", async () => {
  const rows = table(["a,b", "c"], 'x"y\t=1+1', "-5\tl\\nm", "-x\t+1");
  assert.equal([...csvOf(rows, null)].join(""), `"a,b",c\r\n"x""y",'=1+1\r\n-5,"l\nm"\r\n'-x,'+1\r\n`);
  assert.equal([...csvOf(rows, Uint32Array.of(2, 1, 0))].join("").split("\r\n")[1], "'-x,'+1");
});

test("a cell of CSV that a spreadsheet would run is text, and a negative number is a number", () => {
  const cells = ["=1+1", "+1", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "-A1", "-1", "-1,200.5", "-.5", "-1e-9", "1-2"];
  const [, ...lines] = [...csvOf(table(["a"], ...cells), null)].join("").split("\r\n");
  const quoted = [
    "'=1+1",
    "'+1",
    "'@SUM(A1)",
    "'-2+3+cmd|' /C calc'!A0",
    "'-A1",
    "-1",
    '"-1,200.5"',
    "-.5",
    "-1e-9",
    "1-2",
  ];
  assert.deepEqual(lines.slice(0, -1), quoted);
});
