// Python code: the program that asks the same question.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pythonOf } from "../../web/python_code.js";
import { LIMITS } from "../../worker/wire/protocol.js";

const STARTED = { type: "run_started", seq: 0, path: [], seconds: 0, run: "", schema: null, direct: false };

test("only options that are not the default are in it", () => {
  const code = pythonOf(
    {
      ...STARTED,
      question: 'Who "signed"?\nAnd when?',
      model: "openai:gpt-5-mini",
      sub_model: "openai:gpt-5-nano",
      limits: { max_iterations: 20, max_seconds: 600, max_block_seconds: 120, compact_at: 0.85, max_cost: 1.5 },
      contexts: [
        { name: "a.pdf", type: "file" },
        { name: "b/c.csv", type: "str" },
      ],
      model_options: { temperature: 0 },
      sub_model_options: {},
    },
    LIMITS,
  );
  assert.match(code, /max_timeout=600,\n {4}max_cost=1.5,\n {4}model_options=\{"temperature": 0\},\n\) as rlm/);
  assert.match(
    code,
    /session\.run\("Who \\"signed\\"\?\\nAnd when\?", context=\[Path\("a\.pdf"\), Path\("b\/c\.csv"\)\]\)/,
  );
  assert.doesNotMatch(code, /max_iterations|compact_at|block_timeout/);
});

test("a typed context is read from a file, and none is left out", () => {
  const run = {
    ...STARTED,
    question: "?",
    model: null,
    sub_model: null,
    limits: {},
    model_options: {},
    sub_model_options: {},
  };
  assert.match(
    pythonOf({ ...run, contexts: [{ name: "context", type: "str" }] }, LIMITS),
    /context=Path\("context\.txt"\)\.read_text\(\)/,
  );
  assert.match(pythonOf({ ...run, contexts: [] }, LIMITS), /BlockingBrowserRLM\(\) as rlm[\s\S]*session\.run\("\?"\)/);
});
