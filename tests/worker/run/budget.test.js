// Budget, usage and slots of a tree of runs: counts that are exact, and slots that cannot block each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLengths, openBudget } from "../../../worker/run/budget.js";
import { openSlots } from "../../../worker/run/slots.js";
import { openUsage } from "../../../worker/run/usage_by_path.js";
import { added } from "../../../worker/wire/usage.js";

function used(input, output, cost = null) {
  return {
    calls: 1,
    input_tokens: input,
    output_tokens: output,
    cached_tokens: 0,
    cost,
  };
}

function budgetOf(limits) {
  const budget = openBudget(limits);
  const endings = [];
  budget.whenReached((ending) => endings.push(ending));
  return { budget, endings };
}

test("sub-calls are admitted up to the limit, all of a request or none", () => {
  const { budget, endings } = budgetOf({ max_sub_calls: 5 });
  budget.admit(3);
  budget.admit(0);
  assert.throws(() => budget.admit(3), /sub-call limit reached: 3 of 5 used and 3 more asked for/);
  budget.admit(2);
  assert.throws(() => budget.admit(1), /5 of 5 used\. Raise maxSubCalls/);
  assert.equal(endings[0].stopped_by, "max_sub_calls");
});

for (const [limit, spent] of [
  ["max_input_tokens", used(10, 0)],
  ["max_output_tokens", used(0, 10)],
  ["max_cost", used(0, 0, 10)],
])
  test(`${limit} refuses the next call once it is used, and no call before`, () => {
    const { budget, endings } = budgetOf({ [limit]: 20 });
    for (let call = 0; call < 2; call += 1) {
      budget.admit(0);
      budget.spend("m", spent);
    }
    assert.throws(() => budget.admit(0), { name: "LimitReached", limit });
    assert.equal(endings[0].stopped_by, limit);
  });

test("a call of unknown price ends a tree with a limit of cost, unless that is allowed", () => {
  const { budget, endings } = budgetOf({ max_cost: 1 });
  budget.spend("priced", used(1, 1, 0.5));
  budget.admit(0);
  budget.spend("mine", used(1, 1));
  assert.throws(() => budget.admit(0), /cannot be kept: no price of the model mine is known\. .*allowUnknownPrice/);
  assert.equal(endings[0].stopped_by, "max_cost");
  const unlimited = openBudget({});
  unlimited.spend("mine", used(1, 1));
  unlimited.admit(0);
  const allowed = openBudget({ max_cost: 1 }, { allowUnknownPrice: true });
  allowed.spend("mine", used(1, 1));
  allowed.admit(0);
  assert.equal(added(used(1, 1, 0.5), used(1, 1)).cost, null);
  assert.equal(added(used(1, 1, 0.5), used(1, 1, 0.25)).cost, 0.75);
});

test("usage of a run holds that of the runs below it, and by path each has its own", () => {
  const usage = openUsage();
  usage.open([], () => ({ m: used(1, 0) }));
  usage.open([0], () => ({ m: used(2, 0), n: used(4, 0) }));
  usage.open([0, 1], () => ({ m: used(8, 0) }));
  usage.open([10], () => ({ m: used(15, 0) }));
  usage.open([10], () => ({ m: used(1, 0) })); // two accounts of one run: it was continued
  assert.equal(usage.of([]).m.input_tokens, 27);
  assert.equal(usage.of([0]).m.input_tokens, 10);
  assert.equal(usage.of([0]).n.calls, 1);
  assert.equal(usage.byPath()["10"].m.input_tokens, 16);
  usage.restore(new Map([["0.1", { m: used(100, 0) }]]));
  assert.equal(usage.of([0, 1]).m.input_tokens, 108);
  assert.deepEqual(usage.recorded(), { m: used(100, 0) });
  assert.deepEqual(Object.keys(usage.byPath()).sort(), ["", "0", "0.1", "10"]);
});

test("as many work at once as there are slots, and the deepest goes first", async () => {
  const slots = openSlots(1);
  const order = [];
  await slots.enter(1);
  const waiting = [1, 1, 2].map((depth, at) => slots.enter(depth).then(() => order.push([depth, at])));
  for (let left = 0; left < 3; left += 1) {
    slots.leave();
    await Promise.race([Promise.all(waiting), new Promise((done) => setImmediate(done))]);
  }
  assert.deepEqual(order, [
    [2, 2],
    [1, 0],
    [1, 1],
  ]);
});

test("a slot that no run waits for is free again", async () => {
  const slots = openSlots(1);
  await slots.enter(1);
  slots.leave();
  await slots.enter(1);
});

test("a prompt is measured in characters as Python counts them", () => {
  const call = (content) => [{ model: null, messages: [{ role: "user", content }] }];
  checkLengths({ max_prompt_chars: 3 }, call("🦊🦊🦊"));
  assert.throws(() => checkLengths({ max_prompt_chars: 3 }, call("abcd")), /4 of at most 3 characters/);
  checkLengths({ max_prompt_chars: null }, call("abcd"));
});
