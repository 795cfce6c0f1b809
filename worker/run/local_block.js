// @ts-check
// Local block: one block of this project's own code, run over a context in a contained worker without any model.
//
// In: the code. Out: a source that answers each call of the root model with it, so that nothing is sent. Values reach the
// code as tools, never as text of it.

import { parseRequest } from "../wire/complete_request.js";
import { configError } from "../wire/errors.js";
import { encodeFrame } from "../wire/frames.js";
import { NO_USAGE } from "../wire/usage.js";

/**
 * @param {string} code
 * @returns {import("../wire/types.d.ts").Source}
 */
export function localBlock(code) {
  const text = `\`\`\`repl\n${code}\n\`\`\``;
  const completion = { text, model: "", usage: NO_USAGE, finish_reason: null, reasoning: "" };
  return {
    lost: () => [],
    tools: (_path, functions) => functions,
    answering: ({ witness }) => ({
      usage: () => ({}),
      async handle(body, answer) {
        const { kind, calls } = parseRequest(body, answer.value);
        if (kind !== "root") throw configError("a block without a model makes no sub-calls.");
        const first = witness.started(kind, calls);
        calls.forEach((_, index) => {
          witness.finished(first + index, { completion });
          answer.write(encodeFrame(index, { completion }));
        });
        answer.end();
      },
    }),
  };
}
