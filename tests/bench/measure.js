// Boots a worker, has its model code call `llm_query` again and again, and answers each call at once.
//
// Out: milliseconds until ready, microseconds a call as the worker's own clock sees them.

import { encodeFrame } from "/rlm/wire/frames.js";
import { answeringEnd } from "/rlm/wire/answering_end.js";
import { bootWorker, loadAssets } from "/rlm/boot/runtime.js";

const USAGE = { calls: 1, input_tokens: 1, output_tokens: 1 };
const LIMITS = { max_iterations: 20, max_output_chars: 20_000, max_seconds: null, max_errors: 5 };
const JOB = {
  question: "How long?",
  model: null,
  sub_model: null,
  system_prompt: null,
  limits: LIMITS,
  tools: [],
  contexts: [],
  path: [],
};
const codeOf = (calls) => `\`\`\`repl
import time
for _ in range(200): llm_query("x")
began = time.perf_counter()
for _ in range(${calls}): llm_query("x")
FINAL(str((time.perf_counter() - began) / ${calls} * 1e6))
\`\`\``;

const measure = async (assets, calls) => {
  const began = performance.now();
  const worker = await bootWorker(assets);
  const boot = performance.now() - began;
  const handler = (body, answer) => {
    const text = JSON.parse(body).kind === "root" ? codeOf(calls) : "ok";
    answer.write(encodeFrame(0, { completion: { text, model: "m", usage: USAGE } }));
    answer.end();
  };
  const host = answeringEnd({ line: worker.line, handler });
  const result = await new Promise((resolve, reject) => {
    const message = (said) => {
      if (said.type === "request") void host.request(said);
      else if (said.type === "ack") host.ack(said);
      else if (said.type === "finished") resolve(JSON.parse(said.result));
      else if (said.type === "failed") reject(new Error(said.error));
    };
    worker.listen({ message, lost: (why) => reject(new Error(why)) });
    worker.post({ type: "start", epoch: worker.epoch, job: JOB }, []);
  });
  worker.terminate();
  host.close();
  return { boot, call: Number(result.answer) };
};

const assetsOf = () => loadAssets(new URL("/rlm/assets/", location.href).href);

export const contained = async (calls) => measure(await assetsOf(), calls);
export const plain = async (calls) => measure({ ...(await assetsOf()), workerUrl: "/bench/plain_worker.js" }, calls);
