// @ts-check
/**
 * Question of a notebook's widget, from the kernel's job to its result, with all the views that show it. In: the line to the
 * kernel. Out: the run, in this page; its events and its outcome for the kernel. The run is that of a headless page: the same
 * job, callbacks and outcome, with messages in place of a browser's driver.
 */

import { openPool } from "/rlm/rlm.js";
import { openProgress } from "./ask_progress.js";
import { openView } from "./ask_view.js";
import { run, stop, stopChild, takePiece } from "./headless.js";
import { openAssets, fileFrom } from "./widget_files.js";
import { openLine } from "./widget_line.js";

/** @typedef {import("/rlm/rlm.js").RLMResult} RLMResult */
/** @typedef {import("./headless.js").Job} Job */
/** @typedef {import("./widget_line.js").Model} Model */
/** @typedef {Pick<RLMResult, "answer" | "detail" | "evidence" | "stoppedBy">} Answer */
/** @typedef {{answer: Answer} | {error: string}} Shown */
/** @typedef {{id: string, wantsEvents: boolean, take: (lines: string) => void, line: import("./widget_line.js").Line}} PageRun */

/** Runs of all widgets of this page, for Python's functions, by id. @type {Map<string, PageRun>} */
export const pageRuns = new Map();
/** A view that is moved is closed and opened. */
const UNSEEN_MS = 1_000;
/** Characters of an answer that the kernel is sent to show again; the whole is in its result. */
const SHOWN_CHARS = 200_000;
const LATE = { step: "Waiting for the kernel", detail: "it is at work on a cell, or gone" };
const ELSEWHERE =
  "This question is at work in another tab, or was in a page that is gone. " +
  "Press Ask to continue it here: no call that was answered is paid again.";

/** @param {Model} model */
export function openQuestion(model) {
  const line = openLine(model, { command: onCommand, late: onLate });
  const assets = openAssets(model.get("_build"), line);
  /** @type {Set<ReturnType<typeof openView>>} */
  const views = new Set();
  /** @type {import("./ask_progress.js").Progress | null} of the run at work in this page */
  let now = null;
  /** @type {string | null} */
  let running = null;
  let isStopped = false;
  let isElsewhere = false;
  let isPending = false;
  let isClosed = false;

  /** @param {import("./ask_progress.js").Progress} progress */
  const show = (progress) => {
    now = progress;
    for (const view of views) view.progress(progress);
  };
  /** @param {boolean} isLate */
  function onLate(isLate) {
    if (now !== null) for (const view of views) view.progress(isLate ? LATE : now);
  }
  /** @param {any} content */
  function onCommand({ command, id, path, number, text }) {
    if (command === "ask") {
      isPending = true;
      beginPending();
    } else if (command === "ping") void line.request("here", {}).catch(() => {});
    else if (command === "piece") takePiece(number, text);
    else if (command === "stop" && (id === running || id === null)) halt();
    else if (command === "stopChild") stopChild(id, path);
  }
  const halt = () => {
    isStopped = true;
    if (running !== null) stop(running);
  };
  const beginPending = () => {
    if (isPending && views.size > 0) void begin(null);
  };

  /**
   * Do the job that the kernel has, or ask a question of the person's.
   * @param {string | null} question
   * @param {Files | null} [given] the person's own text or files
   */
  async function begin(question, given = null) {
    if (now !== null) return;
    [isPending, isStopped] = [false, false];
    for (const view of views) view.start();
    show({ step: "Starting Python", detail: "" });
    try {
      const { value } = await line.prompt("begin", { question, takes: isElsewhere });
      isElsewhere = value.elsewhere === true;
      if (isElsewhere) return settle({ error: ELSEWHERE });
      for (const view of views) view.setQuestion(value.job.question);
      model.set("question", value.job.question); // saved with the answer
      await ended(await outcomeOf(value, given), value.job.id);
    } catch (fault) {
      settle({ error: /** @type {Error} */ (fault).message });
    }
  }

  /**
   * @param {{job: Job, files: {name: string}[], log: boolean}} asked
   * @param {Files | null} given
   */
  async function outcomeOf({ job, files, log }, given) {
    running = job.id;
    const progress = openProgress();
    /** @param {string} lines */
    const take = (lines) => {
      for (const each of lines.split("\n")) {
        const space = each.indexOf(" ");
        if (["event", "passing"].includes(each.slice(0, space))) show(progress(JSON.parse(each.slice(space + 1))));
      }
    };
    pageRuns.set(job.id, { id: job.id, wantsEvents: job.wants.events, take, line });
    try {
      await openPool(assets.base, { hasSpares: false });
      const own = given ?? { kind: job.kind, names: job.names, files: [] };
      for (const [index, file] of files.entries())
        own.files.push(await fileFrom(line, file, { what: "context", index }));
      const logs = log ? { files: [await fileFrom(line, { name: "log" }, { what: "log" })] } : null;
      const options = { ...job.options, assets: assets.base };
      const context = { kind: own.kind, names: own.names, wants: { ...job.wants, events: true } };
      return await run({ files: own.files }, JSON.stringify({ ...job, ...context, options, isStopped }), logs);
    } catch (fault) {
      const { name, message } = /** @type {Error} */ (fault);
      return JSON.stringify({ error: { name, message } });
    } finally {
      pageRuns.delete(job.id);
      running = null;
    }
  }

  /**
   * Hand the outcome to the kernel, then show it: whoever reads the shown answer finds the result there.
   * @param {string} outcome
   * @param {string} id
   */
  async function ended(outcome, id) {
    if (isClosed) return;
    const { value } = await line.prompt("ended", { id, outcome });
    const shown = value.error !== undefined ? { error: value.error } : { answer: answerOf(JSON.parse(outcome).ok) };
    settle(shown);
    if (value.late) return; // the question has another page, or another end
    model.set("_shown", shown);
    model.set("ended", model.get("ended") + 1);
    model.save_changes();
  }

  /** @param {Shown} shown */
  function settle(shown) {
    now = null;
    for (const view of views) showIn(view, shown);
  }

  const onShown = () => {
    if (now === null && model.get("_shown") !== null) settle(model.get("_shown"));
  };
  model.on("change:_shown", onShown);
  line.request("hello", {}).then(
    ({ value }) => {
      isPending ||= value.state === "pending";
      isElsewhere = value.state === "elsewhere";
      if (isElsewhere) settle({ error: ELSEWHERE });
      beginPending();
    },
    () => {}, // it was closed
  );

  return {
    /**
     * @param {HTMLElement} host
     * @returns {() => void} closes the view
     */
    view(host) {
      const view = openView(host.attachShadow({ mode: "open" }), {
        onAsk: () => void begin(isElsewhere ? null : view.question(), givenOf(view.context())),
        onStop: () => {
          halt();
          void line.request("stop", {}).catch(() => {});
        },
      });
      view.hideContext(model.get("_has_context"));
      view.setQuestion(model.get("question"));
      if (now !== null) {
        view.start();
        view.progress(now);
      } else if (isElsewhere) showIn(view, { error: ELSEWHERE });
      else if (model.get("_shown") !== null) showIn(view, model.get("_shown"));
      views.add(view);
      beginPending();
      return () => {
        views.delete(view);
        setTimeout(() => {
          if (views.size === 0 && now !== null) halt();
        }, UNSEEN_MS);
      };
    },
    close() {
      isClosed = true;
      halt();
      model.off("change:_shown", onShown);
      line.close();
      assets.close();
    },
  };
}

/** @typedef {{kind: import("./headless.js").Kind, names: string[], files: File[]}} Files */

/**
 * @param {ReturnType<typeof openView>} view
 * @param {Shown} shown
 */
function showIn(view, shown) {
  if ("error" in shown) return view.fail(new Error(shown.error));
  view.finish(shown.answer);
}

/** @param {RLMResult} result @returns {Answer} */
function answerOf({ answer, detail, evidence, stoppedBy }) {
  return { answer: answer.slice(0, SHOWN_CHARS), detail, evidence, stoppedBy };
}

/**
 * Text and files of the view's own fields, in the form of a job's context.
 * @param {string | File[] | null} context
 * @returns {Files | null}
 */
function givenOf(context) {
  if (context === null) return null;
  if (typeof context === "string") return { kind: "text", names: ["context"], files: [new File([context], "context")] };
  return { kind: "files", names: context.map((file) => file.webkitRelativePath || file.name), files: context };
}
