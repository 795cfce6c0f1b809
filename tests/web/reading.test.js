import assert from "node:assert/strict";
import { test } from "node:test";

import { Printed } from "../../web/printed.js";
import { occurrences, positionOf, stepped } from "../../web/reading.js";

function iteration(number, reply, stdout = "") {
  const printed = new Printed();
  printed.append(stdout);
  const observation = { value: null, error: null };
  return { iteration: number, version: 1, reply, written: "", blocks: [{ printed, observation }] };
}

test("words are counted in prose, code and output, in letters of either case", () => {
  const iterations = [iteration(1, "Look at LAMP", "lamp lamp"), iteration(2, "nothing"), iteration(3, "", "a Lamp")];
  const found = occurrences(iterations, "lamp");
  assert.deepEqual(found, [
    { iteration: 1, times: 3 },
    { iteration: 3, times: 1 },
  ]);
  assert.deepEqual(occurrences(iterations, ""), []);
  assert.deepEqual(positionOf(found, 2), { iteration: 1, within: 2, times: 3 });
  assert.deepEqual(positionOf(found, 3), { iteration: 3, within: 0, times: 1 });
  assert.equal(positionOf(found, 4), null);
});

test("an iteration that changed is read anew", () => {
  const one = iteration(1, "lamp");
  assert.equal(occurrences([one], "lamp")[0].times, 1);
  Object.assign(one, { reply: "lamp lamp", version: 2 });
  assert.equal(occurrences([one], "lamp")[0].times, 2);
});

test("steps end at the first and the last iteration", () => {
  const iterations = [iteration(1, ""), iteration(2, ""), iteration(3, "")];
  assert.deepEqual(
    [stepped(iterations, null, 1), stepped(iterations, null, -1), stepped(iterations, 2, 1), stepped(iterations, 3, 1)],
    [1, 3, 3, 3],
  );
  assert.equal(stepped([], null, 1), null);
});
