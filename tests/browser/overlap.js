// Replies that are written bit by bit, for test_overlap.py; evaluated in the page, it leaves `overlap` behind.

(() => {
  const MOST_MS = 60_000;
  const USAGE = { calls: 1, input_tokens: 3, output_tokens: 2 };
  const event = (value) => new TextEncoder().encode(`data: ${JSON.stringify(value)}\n\n`);
  const aborted = (signal) =>
    new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });

  /**
   * Run a question. Each root reply is a list of steps: text is written; a number waits until so many prompts of sub-calls
   * have come, where the run overlaps; `break` breaks the connection off; `stop` stops the run, and waits for its end.
   */
  const run = async ({ replies, context, options, log }) => {
    const { RLM } = await import("/rlm/rlm.js");
    const native = globalThis.fetch;
    const stop = new AbortController();
    const prompts = [];
    const early = [];
    const keys = [];
    let writing = false;
    let arrived = () => {};
    const left = structuredClone(replies);

    const write = async (steps, controller, signal) => {
      writing = true;
      for (const step of steps) {
        if (typeof step === "number") {
          while (options.overlap && prompts.length < step)
            await Promise.race([new Promise((resolve) => void (arrived = resolve)), aborted(signal)]);
        } else if (step === "break") {
          writing = false;
          return controller.error(new TypeError("network error"));
        } else if (step === "stop") {
          stop.abort();
          await aborted(signal);
        } else controller.enqueue(event({ delta: step }));
      }
      writing = false;
      controller.enqueue(event({ done: true, model: "root", usage: USAGE }));
      controller.close();
    };
    const answer = async (body, { signal, headers }) => {
      const asked = body.prompts ?? [body.prompt];
      prompts.push(...asked);
      keys.push(headers["idempotency-key"]);
      if (writing) early.push(...asked);
      arrived();
      if (asked.some((text) => text.includes("never"))) await aborted(signal);
      if (body.type !== "batch")
        return Response.json({ text: `sub:${body.prompt}`, model: "sub", usage: USAGE, done: true });
      const lines = body.prompts.map((text, index) => ({ index, text: `sub:${text}`, model: "sub", usage: USAGE }));
      return new Response([...lines, { done: true }].map((line) => `${JSON.stringify(line)}\n`).join(""));
    };
    globalThis.fetch = async (url, init) => {
      if (String(url) !== "/scripted") return native(url, init);
      const body = JSON.parse(new TextDecoder().decode(init.body));
      if (body.messages === undefined) return answer(body, init);
      const steps = left.shift();
      return new Response(
        new ReadableStream({
          start: (controller) => void write(steps, controller, init.signal).catch((error) => controller.error(error)),
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    };
    try {
      const events = [];
      const rlm = new RLM({ endpoint: "/scripted", onEvent: (event) => events.push(event), ...options });
      const running = rlm.run("What?", { context, signal: stop.signal, ...log });
      const late = new Promise((resolve) => setTimeout(resolve, MOST_MS, null));
      const result = await Promise.race([running, late]);
      if (result === null)
        throw new Error(`no end: ${JSON.stringify({ replies: left, prompts, events }).slice(-9_000)}`);
      return { ...result, trajectory: result.trajectory(), prompts, early, keys };
    } finally {
      globalThis.fetch = native;
    }
  };

  globalThis.overlap = { run };
})();
