// What the fault tests need inside the page; evaluated there, it leaves `faults` behind.
//
// A run is started and left to itself; at the event that the test names, the fault happens. Models are answered by the
// test's own process, so that it counts what is asked before and after a reload.

(() => {
  const NativeWorker = globalThis.Worker;
  const workers = [];
  globalThis.Worker = class extends NativeWorker {
    constructor(...args) {
      super(...args);
      workers.push(this);
    }
  };

  const FAULTS = {
    kill: () => workers.at(-1).terminate(),
    reload: () => location.reload(),
    /** A tab that its block kills lives long enough to write down that the block began. */
    reloadWhenKept: async (happened) => {
      const { readLog } = await import("/rlm/journal.js");
      const lines = async () => (await readLog("the-run")).split("\n").length - 1;
      while ((await lines()) < happened); // each look takes a turn of the loop
      location.reload();
    },
  };

  /** Do `fault` at the `nth` event of `type`, once. */
  const trigger = ({ fault, type, nth = 1 }) => {
    let seen = 0;
    let happened = 0;
    return (event) => {
      if (event.type !== "output") happened += 1;
      if (event.type !== type) return;
      seen += 1;
      if (seen === nth) FAULTS[fault](happened);
    };
  };

  const start = async ({ question = "What?", context, options = {}, at = null, resume }) => {
    const { RLM } = await import("/rlm/rlm.js");
    const events = [];
    const happen = at ? trigger(at) : () => {};
    const onEvent = (event) => {
      events.push(event);
      happen(event);
    };
    try {
      const rlm = new RLM({ endpoint: "/scripted", onEvent, ...options });
      const result = await rlm.run(question, { context, resume });
      return { ...result, events, trajectory: result.trajectory() };
    } catch (error) {
      return { events, error: { name: error.name, message: error.message } };
    }
  };

  const goOn = async (job) => {
    const { unfinished, readLog } = await import("/rlm/journal.js");
    const [kept] = await unfinished();
    if (!kept) return { error: { name: "Nothing", message: "no run to go on with" } };
    return start({ ...job, options: { ...job.options, journal: kept.name }, resume: await readLog(kept.name) });
  };

  const left = async () => (await (await import("/rlm/journal.js")).unfinished()).length;

  globalThis.faults = { start, goOn, left };
})();
