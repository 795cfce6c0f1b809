// Means of the fault tests inside the page; evaluated there, it leaves `faults` behind.
//
// A run is started and left to itself; at the event that the test names, the fault happens. Models are answered by the
// test's own process, so that it counts calls before and after a reload.

(() => {
  const NativeWorker = globalThis.Worker;
  /** By name. */
  const workers = new Map();
  globalThis.Worker = class extends NativeWorker {
    constructor(url, options) {
      super(url, options);
      workers.set(options.name, this);
    }
  };
  /** Workers that were given a job: first that of the root run, then those of its child runs. Others are spare, or make
   * a snapshot. */
  let atWork = [];
  const { postMessage } = MessagePort.prototype;
  MessagePort.prototype.postMessage = function (message, ...rest) {
    if (message?.type === "start") atWork.push(workers.get(`rlm-${message.epoch}`));
    return postMessage.call(this, message, ...rest);
  };

  /** Tools of the page; their counts outlive a reload. */
  const counted = (name) => {
    const count = Number(localStorage.getItem(name) ?? 0) + 1;
    localStorage.setItem(name, count);
    return count;
  };
  const neverInThisTab = () => {
    location.reload();
    return new Promise(() => {});
  };
  const TOOLS = {
    tick: () => counted("tick"),
    answers_when_called_again: () => (counted("again") === 1 ? neverInThisTab() : "at last"),
  };

  /** A worker that is terminated goes on until its code lets go of the thread, two seconds at most: till then no reply
   * comes, so that it dies where the test wants it to. */
  let dead = Promise.resolve();
  let isDead = () => {};
  const nativeFetch = globalThis.fetch;
  globalThis.fetch = async (...request) => {
    const response = await nativeFetch(...request);
    if (String(request[0]) === "/scripted") await dead;
    return response;
  };
  const terminate = (doomed) => {
    dead = new Promise((resolve) => (isDead = resolve));
    doomed.forEach((worker) => worker.terminate());
  };

  const FOR_WATCHING = ["output", "reply_written", "reasoning_written"]; // not in the log
  let told = () => {};
  const happened = new Promise((resolve) => (told = resolve));

  /** No line of the log after the first `lines` is ever written, so that nothing leaves that waits for it. */
  const standStill = (lines) => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (value, key) {
      if (!Array.isArray(key) || key[1] < lines) return put.call(this, value, key);
      this.transaction.oncomplete = null;
    };
  };

  const FAULTS = {
    kill: () => terminate(atWork.slice(0, 1)),
    killChildren: () => terminate(atWork.slice(1)),
    killBoth: () => terminate(atWork.slice(0, 2)),
    /** Nothing is kept after this event: a tab that closes does nothing more. */
    reload: (happened) => {
      standStill(happened);
      location.reload();
    },
    tell: () => told(),
    /** A tab that its block kills lives long enough to write down that the block began. */
    reloadWhenKept: async (happened) => {
      const { readLog } = await import("/rlm/log/journal.js");
      const lines = async () => (await readLog("the-run")).split("\n").length - 1;
      while ((await lines()) < happened); // each look takes a turn of the loop
      location.reload();
    },
  };

  /** Do `fault` at the `nth` event of `type`, of the run at `path` and with `text` if they are given, once. */
  const trigger = ({ fault, type, nth = 1, path, text = "" }) => {
    let seen = 0;
    let happened = 0;
    return (event) => {
      if (!FOR_WATCHING.includes(event.type)) happened += 1;
      if (event.type !== type || (path && String(event.path) !== String(path))) return;
      if (text && !event.text.includes(text)) return;
      seen += 1;
      if (seen === nth) FAULTS[fault](happened);
    };
  };

  const start = async ({ question = "What?", context, options = {}, at = null, resume, tools = false }) => {
    const { RLM } = await import("/rlm/rlm.js");
    [atWork, dead] = [[], Promise.resolve()]; // a page may have had other runs
    const events = [];
    const happen = at ? trigger(at) : () => {};
    const onEvent = (event) => {
      events.push(event);
      happen(event);
      if (event.type === "notice" && event.text.startsWith("the Python worker was lost")) isDead();
    };
    try {
      const rlm = new RLM({ endpoint: "/scripted", onEvent, ...(tools ? { tools: TOOLS } : {}), ...options });
      const result = await rlm.run(question, { context, resume });
      return { ...result, events, trajectory: result.trajectory() };
    } catch (error) {
      return { events, error: { name: error.name, message: error.message } };
    }
  };

  const goOn = async (job) => {
    const { unfinished, readLog } = await import("/rlm/log/journal.js");
    const [kept] = await unfinished();
    if (!kept) return { error: { name: "Nothing", message: "no run to go on with" } };
    return start({ ...job, options: { ...job.options, journal: kept.name }, resume: await readLog(kept.name) });
  };

  const left = async () => (await (await import("/rlm/log/journal.js")).unfinished()).length;

  const called = (name) => Number(localStorage.getItem(name) ?? 0);

  globalThis.faults = { start, goOn, left, called, happened };
})();
