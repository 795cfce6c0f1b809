// Means of the browser tests inside the page; evaluated there, it leaves `lab` behind.
//
// `lab.run` runs the public RLM against scripted replies; `lab.converse` drives a booted worker with no broker between.

(() => {
  const STUB = "/scripted";
  const USAGE = { calls: 1, input_tokens: 3, output_tokens: 2 };
  const native = globalThis.fetch.bind(globalThis);
  const line = (value) => `${JSON.stringify(value)}\n`;

  /** The next reply of the list, or of the list of the run's own question. */
  const nextReply = (replies, { messages }) => {
    if (Array.isArray(replies)) return replies.shift();
    const [, question] = /^Question:\n([\s\S]*?)\n\nContext:/.exec(messages[1].content);
    return replies[question].shift();
  };

  const subReply = (prompt) => {
    const again = prompt.includes("does not fit the schema") && /^again: (.*)$/m.exec(prompt);
    return (again || /^reply: (.*)$/m.exec(prompt))?.[1] ?? `sub:${prompt}`;
  };

  /**
   * Root calls take the next reply, and one of null never comes; sub-calls are answered by `sub:<prompt>`, or as their
   * line `reply: ...` says, and when they are asked for a value again as their line `again: ...`.
   * `before` names a function of the page that each call awaits first.
   */
  const scripted = (replies, posts, before) => async (url, init) => {
    if (String(url) !== STUB) return native(url, init);
    if (before) await globalThis[before]();
    const body = JSON.parse(new TextDecoder().decode(init.body));
    posts.push(body);
    if (body.type === "batch") {
      const lines = body.prompts.map((prompt, index) =>
        line({ index, text: subReply(prompt), model: "sub", usage: USAGE }),
      );
      return new Response([...lines.reverse(), line({ done: true })].join(""));
    }
    const text = body.prompt === undefined ? nextReply(replies, body) : subReply(body.prompt);
    const kept = body.prompt === "kept by the server" ? { from_store: true } : {};
    if (text === null)
      return new Promise((_, reject) => init.signal.addEventListener("abort", () => reject(init.signal.reason)));
    return new Response(
      `data: ${line({ delta: text })}\ndata: ${line({ done: true, model: "root", usage: USAGE, ...kept })}\n`,
    );
  };

  /**
   * Run a question; `stopOn` is text: the run is stopped when an event holds it. `stopChildren` is path -> text: that
   * child is stopped, it alone, when it or one below it prints the text, or before it starts when the text is empty. `log` is {replay}
   * or {fork}; `earlier` are the questions of a session that ended.
   * The result holds all that a test may ask for: events, callbacks, posts, and the milliseconds from stop to end.
   */
  const run = async ({
    replies,
    question = "What?",
    context,
    options = {},
    stopOn,
    stopChildren = {},
    before,
    log = {},
    earlier,
  }) => {
    const { RLM } = await import("/rlm/rlm.js");
    const posts = [];
    const told = { events: [], told: [], subCalls: [], posts };
    const stop = new AbortController();
    let stopped = 0;
    globalThis.fetch = scripted(structuredClone(replies), posts, before);
    const children = {};
    const onChild = (child) => {
      const path = child.path.join(".");
      children[path] = child;
      if (stopChildren[path] === "") child.stop();
    };
    const stopPrinting = ({ path, text }) => {
      for (const [child, awaited] of Object.entries(stopChildren))
        if (awaited && `${path.join(".")}.`.startsWith(`${child}.`) && text.includes(awaited)) children[child].stop();
    };
    const onEvent = (event) => {
      told.events.push(event);
      if (event.type === "output") stopPrinting(event);
      if (!stopOn || !JSON.stringify(event).includes(stopOn) || stop.signal.aborted) return;
      if (!["output", "call_started", "block_started", "notice"].includes(event.type)) return;
      setTimeout(() => {
        stopped = performance.now();
        stop.abort();
      }, 100);
    };
    const listeners = {
      onEvent,
      onIteration: (it) => told.told.push(it),
      onSubLLMCall: (call) => told.subCalls.push(call),
    };
    try {
      const rlm = new RLM({ endpoint: STUB, ...listeners, ...options });
      if (Array.isArray(question))
        return await converseWith(rlm.session({ earlier }), question, { told, onChild, signal: stop.signal });
      const result = await rlm.run(question, {
        context: await contextOf(context),
        signal: stop.signal,
        onChild,
        ...log,
      });
      return {
        ...told,
        children: Object.keys(children),
        ...result,
        trajectory: result.trajectory(),
        stopMs: performance.now() - stopped,
      };
    } catch (error) {
      return { ...told, error: { name: error.name, message: error.message } };
    } finally {
      globalThis.fetch = native;
    }
  };

  /** A session: `questions` are {question, context, resume}, all but the last of which a stop ends; one result for each comes back. */
  const converseWith = async (session, questions, { told, onChild, signal }) => {
    const results = [];
    for (const [at, { question, context, resume }] of questions.entries()) {
      const stoppable = at < questions.length - 1 && !signal.aborted ? { signal } : {};
      const asked = session.run(question, { context: await contextOf(context), onChild, resume, ...stoppable });
      results.push(await asked.catch(({ name, message }) => ({ error: { name, message } })));
    }
    session.close();
    return { ...told, results: results.map(({ trajectory, ...result }) => ({ ...result, log: trajectory?.() })) };
  };

  /** `{files: {name: text}}` and `{bytes: [..]}` stand for values that JSON cannot carry into the page. */
  const contextOf = (context) => {
    if (context?.files)
      return Object.entries(context.files).map(
        ([name, data]) => new File([typeof data === "string" ? data : Uint8Array.from(data)], name),
      );
    if (context?.file) return new File([context.file.text.repeat(context.file.times)], context.file.name);
    if (context?.element) return document.getElementById(context.element).files[0];
    if (context?.bytes) return Uint8Array.from(context.bytes);
    return context;
  };

  const START = {
    question: "What?",
    model: null,
    sub_model: null,
    system_prompt: null,
    limits: {},
    tools: [],
    contexts: [],
    path: [],
  };

  /** Run `replies` on a worker whose requests `answerSub` answers: (calls, answer, encodeFrame) => void. */
  const converse = async ({ replies, answerSub }) => {
    const [{ loadAssets, bootWorker }, { answeringEnd }, { encodeFrame }] = await Promise.all([
      import("/rlm/boot/runtime.js"),
      import("/rlm/wire/answering_end.js"),
      import("/rlm/wire/frames.js"),
    ]);
    const worker = await bootWorker(await loadAssets(new URL("/rlm/assets/", location.href).href));
    const left = [...replies];
    const handler = (body, answer) => {
      const { kind, calls } = JSON.parse(body);
      if (kind === "sub") return answerSub(calls, answer, encodeFrame);
      answer.write(encodeFrame(0, { completion: { text: left.shift(), model: "root", usage: USAGE } }));
      return answer.end();
    };
    const host = answeringEnd({
      line: worker.line,
      handler,
    });
    const events = [];
    const result = await new Promise((resolve) => {
      const message = (said) => {
        if (said.type === "request") void host.request(said);
        else if (said.type === "ack") host.ack(said);
        else if (said.type === "events") events.push(...JSON.parse(said.body));
        else if (said.type !== "heartbeat") resolve(said);
      };
      worker.listen({ message, lost: resolve });
      worker.post({ type: "start", epoch: worker.epoch, job: START }, []);
    });
    worker.terminate();
    host.close();
    return {
      result,
      printed: events
        .filter(({ type }) => type === "block_finished")
        .map(({ observation }) => observation.stdout + (observation.error ?? "")),
    };
  };

  /** A session of scripted replies, for a test that drives it by itself and puts `native` back as `fetch`. */
  const session = (RLM, replies, options, posts) => {
    globalThis.fetch = scripted(replies, posts);
    return { session: new RLM({ endpoint: STUB, ...options }).session(), native };
  };

  globalThis.lab = { run, converse, session, USAGE };
})();
