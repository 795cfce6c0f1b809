// Real child runs, measured inside the page; evaluated after bench.js, it adds `bench.childRuns`. Times are milliseconds.

(() => {
  const BASE = new URL("/rlm/assets/", location.href).href;
  const native = globalThis.fetch.bind(globalThis);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const questionOf = ({ messages }) => /^Question:\n([\s\S]*?)\n\nContext:/.exec(messages[1].content)[1];

  /**
   * One root run asks `count` child runs in one `rlm_batch`, `atOnce` of them at the same time; their model answers after
   * `modelMs`. `asked` is when each child made its first root call, `ms` when the last had ended, both from the reply
   * that begins them. A spare worker is ready at that moment, as it is in a run whose model takes its time.
   */
  const childRuns = async ({ count, atOnce = count, modelMs = 0 }) => {
    const [{ RLM }, { prepareWorker }] = await Promise.all([import("/rlm/rlm.js"), import("/rlm/boot/pool.js")]);
    const asked = [];
    let began = 0;
    let ended = 0;
    const replyTo = async (question) => {
      if (question !== "root") {
        asked.push(performance.now() - began);
        await wait(modelMs);
        return bench.fence("FINAL('done')");
      }
      await prepareWorker(BASE);
      began = performance.now();
      return bench.fence(`print(len(rlm_batch([f'child {n}' for n in range(${count})])))\nFINAL('done')`);
    };
    const onEvent = ({ type, path, observation }) => {
      if (type !== "block_finished" || path.length > 0) return;
      if (observation.stdout !== `${count}\n`) throw new Error(observation.stdout + observation.error);
      ended = performance.now() - began;
    };
    globalThis.fetch = async (url, init) => {
      if (!String(url).startsWith("/api/rlm")) return native(url, init);
      return bench.single(await replyTo(questionOf(bench.bodyOf(init))));
    };
    try {
      const options = { maxDepth: 2, maxConcurrency: atOnce, onEvent };
      const { answer, detail } = await new RLM(options).run("root", { context: "c" });
      if (answer !== "done" || asked.length !== count) throw new Error(`${asked.length} of ${count} asked; ${detail}`);
      return { asked, ms: ended };
    } finally {
      globalThis.fetch = native;
    }
  };

  Object.assign(globalThis.bench, { childRuns });
})();
