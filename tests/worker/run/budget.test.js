// Shared by a tree of runs: exact counts, and slots that cannot block each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLengths, openTree } from "../../../worker/run/budget.js";
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

function treeOf(limits) {
  const tree = openTree(limits);
  const endings = [];
  tree.whenReached((ending) => endings.push(ending));
  return { tree, endings };
}

test("sub-calls are admitted up to the limit, all of a request or none", () => {
  const { tree, endings } = treeOf({ max_sub_calls: 5 });
  tree.admit(3);
  tree.admit(0);
  assert.throws(() => tree.admit(3), /sub-call limit reached: 3 of 5 used and 3 more asked for/);
  tree.admit(2);
  assert.throws(() => tree.admit(1), /5 of 5 used\. Raise maxSubCalls/);
  assert.equal(endings[0].stopped_by, "max_sub_calls");
});

for (const [limit, spent] of [
  ["max_input_tokens", used(10, 0)],
  ["max_output_tokens", used(0, 10)],
  ["max_cost", used(0, 0, 10)],
])
  test(`${limit} refuses the next call once it is used, and no call before`, () => {
    const { tree, endings } = treeOf({ [limit]: 20 });
    for (let call = 0; call < 2; call += 1) {
      tree.admit(0);
      tree.spend(spent);
    }
    assert.throws(() => tree.admit(0), { name: "LimitReached", limit });
    assert.equal(endings[0].stopped_by, limit);
  });

test("a call of unknown price counts for nothing in the cost, and makes the sum unknown", () => {
  const { tree } = treeOf({ max_cost: 1 });
  tree.spend(used(1, 1));
  tree.admit(0);
  assert.equal(added(used(1, 1, 0.5), used(1, 1)).cost, null);
  assert.equal(added(used(1, 1, 0.5), used(1, 1, 0.25)).cost, 0.75);
});

test("usage of a run holds that of the runs below it, and by path each has its own", () => {
  const { tree } = treeOf({});
  tree.open([], () => ({ m: used(1, 0) }));
  tree.open([0], () => ({ m: used(2, 0), n: used(4, 0) }));
  tree.open([0, 1], () => ({ m: used(8, 0) }));
  tree.open([10], () => ({ m: used(15, 0) }));
  tree.open([10], () => ({ m: used(1, 0) })); // two accounts of one run: it was continued
  assert.equal(tree.usage([]).m.input_tokens, 27);
  assert.equal(tree.usage([0]).m.input_tokens, 10);
  assert.equal(tree.usage([0]).n.calls, 1);
  assert.equal(tree.usageByPath()["10"].m.input_tokens, 16);
  assert.deepEqual(Object.keys(tree.usageByPath()).sort(), ["", "0", "0.1", "10"]);
});

test("as many work at once as there are places, and the deepest goes first", async () => {
  const { places } = openTree({ max_concurrency: 1 });
  const order = [];
  await places.enter(1);
  const waiting = [1, 1, 2].map((depth, at) => places.enter(depth).then(() => order.push([depth, at])));
  for (let left = 0; left < 3; left += 1) {
    places.leave();
    await Promise.race([Promise.all(waiting), new Promise((done) => setImmediate(done))]);
  }
  assert.deepEqual(order, [
    [2, 2],
    [1, 0],
    [1, 1],
  ]);
});

test("a place that nobody waits for is free again", async () => {
  const { places } = openTree({ max_concurrency: 1 });
  await places.enter(1);
  places.leave();
  await places.enter(1);
});

test("a prompt is measured in characters as Python counts them", () => {
  const call = (content) => [{ model: null, messages: [{ role: "user", content }] }];
  checkLengths({ max_prompt_chars: 3 }, call("🦊🦊🦊"));
  assert.throws(() => checkLengths({ max_prompt_chars: 3 }, call("abcd")), /4 of at most 3 characters/);
  checkLengths({ max_prompt_chars: null }, call("abcd"));
});
