// Measurements of the bench inside the page; evaluated there, it leaves `bench` behind. All times are milliseconds.
//
// `converse` drives one booted worker with the host's end of the channel and instant replies; `run` is the public RLM
// with scripted root replies, whose sub-calls go to the real server or to an instant stub.

(() => {
  const USAGE = { calls: 1, input_tokens: 3, output_tokens: 2 };
  const BASE = new URL("/rlm/assets/", location.href).href;
  const native = globalThis.fetch.bind(globalThis);
  const fence = (code) => `\`\`\`repl\n${code}\n\`\`\``;
  const frameOf = (encodeFrame, index, text) => encodeFrame(index, { completion: { text, model: "m", usage: USAGE } });

  const timed = async (work) => {
    const began = performance.now();
    const value = await work();
    return { value, ms: performance.now() - began };
  };

  /** Boot and end workers one after the other; `how` is "kept" (snapshot), "plain", "pool", or the URL of a script. */
  const ready = async ({ how, count }) => {
    const [{ loadAssets, bootWorker }, { takeWorker, prepareWorker }, { readSnapshot }] = await Promise.all([
      import("/rlm/boot/runtime.js"),
      import("/rlm/boot/pool.js"),
      import("/rlm/boot/snapshot.js"),
    ]);
    const assets = { ...(await loadAssets(BASE)) };
    const snapshot = how === "plain" ? null : await readSnapshot(assets.key);
    if (how.startsWith("/")) assets.workerUrl = how;
    const all = [];
    for (let done = 0; done < count; done += 1) {
      if (how === "pool") await prepareWorker(BASE);
      const { value, ms } = await timed(() => (how === "pool" ? takeWorker(BASE) : bootWorker(assets, { snapshot })));
      value.terminate();
      all.push(ms);
    }
    return all;
  };

  /** From the call of a fresh page to its first ready worker: manifest, compiling, the kept snapshot, the boot. */
  const first = async () => {
    const { takeWorker } = await import("/rlm/boot/pool.js");
    const { value, ms } = await timed(() => takeWorker(BASE));
    value.terminate();
    return { ms, start: value.start };
  };

  /** Boot `count` workers and keep them, or end those that are kept. */
  const held = [];
  const hold = async ({ count }) => {
    const { takeWorker } = await import("/rlm/boot/pool.js");
    for (let done = 0; done < count; done += 1) held.push(await takeWorker(BASE));
  };
  const release = async () => held.splice(0).forEach((worker) => worker.terminate());

  const prepare = async () => (await import("/rlm/boot/pool.js")).prepareWorker(BASE);

  const START = {
    question: "What?",
    model: null,
    sub_model: null,
    system_prompt: null,
    tools: [],
    packages: [],
    path: [],
  };

  /** One worker runs `blocks`; the result holds the time of each root call, and the output. */
  const converse = async ({ blocks, contexts = [], script, worker: given }) => {
    const [runtime, { answeringEnd }, { encodeFrame }, { readSnapshot }] = await Promise.all([
      import("/rlm/boot/runtime.js"),
      import("/rlm/wire/answering_end.js"),
      import("/rlm/wire/frames.js"),
      import("/rlm/boot/snapshot.js"),
    ]);
    const assets = await runtime.loadAssets(BASE);
    const boot = async () => {
      const workerUrl = script ?? assets.workerUrl;
      return runtime.bootWorker({ ...assets, workerUrl }, { snapshot: await readSnapshot(assets.key) });
    };
    const worker = given ?? (await boot()); // not from the pool, which would boot a spare while this measures
    const replies = [...blocks.map(fence), fence("FINAL('done')")];
    const times = [];
    const packages = worker.packages([]);
    const handler = (body, answer, data) => {
      const { op, kind, calls } = JSON.parse(body);
      if (op === "package") return packages(body, answer, data);
      if (kind === "root") times.push(performance.now());
      calls.forEach((_, index) => answer.write(frameOf(encodeFrame, index, kind === "root" ? replies.shift() : "ok")));
      answer.end();
    };
    const host = answeringEnd({ line: worker.line, handler });
    const printed = [];
    const limits = { max_iterations: blocks.length + 1 };
    const began = performance.now();
    const ended = await new Promise((resolve) => {
      const message = (said) => {
        if (said.type === "request") void host.request(said);
        else if (said.type === "ack") host.ack(said);
        else if (said.type === "events") keep(said.body, printed);
        else if (said.type !== "heartbeat") resolve(said);
      };
      worker.listen({ message, lost: (why) => resolve({ type: "lost", why }) });
      const transfer = contexts.map(({ data }) => data).filter((data) => data instanceof ArrayBuffer);
      worker.post({ type: "start", epoch: worker.epoch, job: { ...START, limits, contexts } }, transfer);
    });
    worker.terminate();
    host.close();
    if (ended.type !== "finished") throw new Error(`${ended.type}: ${ended.why ?? ended.error}`);
    return { times: times.map((time) => time - began), printed, total: performance.now() - began };
  };

  const keep = (body, printed) => {
    for (const event of JSON.parse(body)) {
      if (event.type === "block_finished") printed.push(event.observation.stdout + (event.observation.error ?? ""));
    }
  };

  /** A text context of `bytes`, handed over as the page does; from `start` to the first root call. */
  const context = ({ bytes, blocks = [] }) => {
    const line = new TextEncoder().encode("the quick brown fox jumps over the lazy dog, again and again and again\n");
    const data = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += line.length) data.set(line.subarray(0, Math.min(line.length, bytes - at)), at);
    return converse({ blocks, contexts: [{ name: "context", type: "text", data: data.buffer }] });
  };

  /** The file that the bench put into the page's file input. */
  const file = ({ blocks }) => {
    const data = document.getElementById("bench-file").files[0];
    return converse({ blocks, contexts: [{ name: data.name, type: "file", data }] });
  };

  const bodyOf = (init) => JSON.parse(typeof init.body === "string" ? init.body : new TextDecoder().decode(init.body));

  /** The answer to one call, as the server streams it. */
  const single = (text) =>
    new Response(
      `data: ${JSON.stringify({ delta: text })}\n\ndata: ${JSON.stringify({ done: true, model: "m", usage: USAGE })}\n\n`,
    );

  const stubbed = (replies, instant) => async (url, init) => {
    if (new URL(url, location.href).pathname !== "/api/rlm") return native(url, init);
    if (bodyOf(init).messages) return single(replies.shift());
    return instant ? single("ok") : native(url, init);
  };

  /** A run of the whole machinery, over `files` small files; `gap` is the longest time that the page's thread was kept. */
  const run = async ({ blocks, instant = false, page = false, stopAfter, options = {}, files = 0 }) => {
    const replies = [...blocks.map(fence), fence("FINAL('done')")];
    const printed = [];
    const stop = new AbortController();
    const context = contextOf(files);
    await new Promise((resolve) => setTimeout(resolve, 0)); // a task of its own: thousands of files take a second
    const watch = watchGaps();
    let stopped = 0;
    const onEvent = (event) => {
      if (event.type === "block_finished") printed.push(event.observation.stdout + (event.observation.error ?? ""));
      if (event.type !== "block_started" || stopAfter === undefined) return;
      setTimeout(() => ((stopped = performance.now()), stop.abort()), stopAfter);
    };
    globalThis.fetch = stubbed(replies, instant);
    const { WebSocket } = globalThis;
    delete globalThis.WebSocket; // calls are requests, which the stub answers
    try {
      const asked = { context, options: { ...options, onEvent }, signal: stop.signal };
      const result = await (page ? onPage : bare)(asked);
      return { printed, stoppedBy: result.stoppedBy, stopMs: performance.now() - stopped, gap: watch() };
    } finally {
      Object.assign(globalThis, { fetch: native, WebSocket });
    }
  };

  const contextOf = (files) =>
    files === 0
      ? "c"
      : Array.from({ length: files }, (_, number) => new File([`${number} some words\n`.repeat(40)], `${number}.txt`));

  const bare = async ({ context, options, signal }) => {
    const { RLM } = await import("/rlm/rlm.js");
    return new RLM(options).run("What?", { context, signal });
  };

  const onPage = async ({ context, options, signal }) => {
    const { ask } = await import("/page/app.js");
    return ask({ question: "What?", context, options: { ...options, signal } });
  };

  const watchGaps = () => {
    let last = performance.now();
    let longest = 0;
    const { port1, port2 } = new MessageChannel();
    const look = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    };
    const timer = setInterval(look, 4);
    port1.close();
    port2.close();
    return () => {
      look();
      clearInterval(timer);
      return longest;
    };
  };

  globalThis.bench = { ready, first, prepare, hold, release, converse, context, file, run, fence, single, bodyOf };
})();
