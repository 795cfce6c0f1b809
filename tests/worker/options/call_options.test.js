// Options of a call: each unknown or useless one is refused by its name, with the place where it belongs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedEarlier, checkedQuestionOptions, checkedRunOptions } from "../../../worker/options/call_options.js";

const SETTINGS = ["maxIterations", "tools", "model"];

function refused(check, options, message) {
  assert.throws(() => check(options, SETTINGS), { name: "ConfigError", message });
}

test("an option of the class is refused in a call, with the place where it belongs", () => {
  const message = "unknown option maxIterations of run. It is an option of new RLM({ maxIterations: ... }).";
  refused(checkedRunOptions, { maxIterations: 1 }, message);
  refused(
    checkedQuestionOptions,
    { model: null },
    /^unknown option model of run of a session\. It is an option of new RLM/,
  );
});

test("an unknown option is refused with the known ones", () => {
  const message =
    "unknown option contxt of run. Known are context, signal, direct, schema, onChild, resume, replay, fork, " +
    "idempotencyKey.";
  refused(checkedRunOptions, { contxt: "x" }, message);
  refused(checkedQuestionOptions, { contxt: "x" }, /Known are context, signal, direct, schema, onChild, resume\.$/);
});

test("a question of a session is resumed, and is no replay and no fork", () => {
  assert.deepEqual(checkedQuestionOptions({ resume: "log" }, []), { resume: "log" });
  for (const name of ["replay", "fork"])
    refused(checkedQuestionOptions, { [name]: "" }, new RegExp(`^${name} is an option of RLM.run`));
});

test("a value of the wrong type is refused by its name", () => {
  refused(checkedRunOptions, { signal: {} }, "signal must be an AbortSignal, not {}.");
  refused(checkedRunOptions, { onChild: 1 }, "onChild must be a function, not 1.");
  refused(checkedRunOptions, { replay: 7 }, "replay must be the text of a trajectory, not 7.");
  refused(checkedRunOptions, { fork: { log: "", from: 1 } }, /^fork must be \{log, iteration, code\}, not /);
  for (const key of ["", "a/b", "a".repeat(65), 7])
    refused(checkedRunOptions, { idempotencyKey: key }, /^idempotencyKey must be 1 to 64 letters, digits, /);
  refused(checkedRunOptions, null, "the options of run must be an object, not null.");
  refused(checkedRunOptions, "context", "the options of run must be an object, not string.");
});

test("a run has one log", () => {
  refused(checkedRunOptions, { resume: "", replay: "" }, "resume and replay exclude each other: a run has one log.");
});

test("options that are null or undefined are as left out", () => {
  const { signal } = new AbortController();
  assert.deepEqual(checkedRunOptions(undefined, SETTINGS), {});
  assert.deepEqual(checkedRunOptions({ context: null, resume: undefined, signal }, SETTINGS), { signal });
});

test("earlier questions of a session are a list of logs", () => {
  const earlier = [
    { log: "one", context: "text" },
    { log: "two", journal: "name" },
  ];
  assert.deepEqual(checkedEarlier({ earlier }, []), earlier);
  assert.deepEqual(checkedEarlier(undefined, []), []);
  for (const wrong of ["log", [{ log: 1 }], [{ log: "", name: "x" }], [null]])
    refused(
      (options) => checkedEarlier(options, []),
      { earlier: wrong },
      /^earlier must be a list of \{log, context, journal\}/,
    );
});
