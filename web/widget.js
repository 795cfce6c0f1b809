// @ts-check
/**
 * Widget: the module that anywidget loads for `rlm_server.widget.Ask`. In: a model that a notebook shares with its kernel. Out:
 * a question's run in this page, and views of it in cells. All widgets of a build share the first one's module, so that a page
 * compiles one interpreter.
 */

import { bindPython } from "./python.js";
import { openQuestion, pageRuns } from "./widget_question.js";
import { followScheme } from "./widget_scheme.js";

/** @typedef {import("./widget_line.js").Model} Model */
/** @typedef {{open: typeof openQuestion, questions: Map<string, ReturnType<typeof openQuestion>>}} Build */

const BUILDS = Symbol.for("pyodide-rlm.widgets");
const OVER = "the run is over.";

/** @param {Model} model @returns {Build} */
function buildOf(model) {
  /** @type {Map<string, Build>} */
  const builds = Reflect.get(globalThis, BUILDS) ?? new Map();
  Reflect.set(globalThis, BUILDS, builds);
  const name = model.get("_build");
  const build = builds.get(name) ?? { open: openQuestion, questions: new Map() };
  builds.set(name, build);
  return build;
}

/** @param {Model} model */
function questionOf(model) {
  const { open, questions } = buildOf(model);
  const question = questions.get(model.get("_name")) ?? open(model);
  questions.set(model.get("_name"), question);
  return question;
}

/** @param {{model: Model}} notebook */
function initialize({ model }) {
  const question = questionOf(model);
  return () => {
    buildOf(model).questions.delete(model.get("_name"));
    question.close();
  };
}

/** @param {{model: Model, el: HTMLElement}} cell */
function render({ model, el }) {
  const host = document.createElement("div");
  host.dataset.rlmView = model.get("_name");
  const saved = document.createElement("style");
  saved.textContent = `[data-rlm-saved="${CSS.escape(model.get("_name"))}"] { display: none }`; // its answer is here, live
  const unfollow = followScheme(host);
  const close = questionOf(model).view(host);
  el.append(saved, host);
  return () => {
    unfollow();
    close();
    el.replaceChildren();
  };
}

/**
 * The kernel's answer; undefined once the run is over or the widget is closed.
 * @param {string} id
 * @param {string} kind
 * @param {Record<string, unknown>} body
 */
async function ask(id, kind, body) {
  const reply = await pageRuns
    .get(id)
    ?.line.request(kind, { id, ...body })
    .catch(() => undefined);
  return reply?.value;
}

bindPython({
  async rlmNotify(id, lines) {
    const run = pageRuns.get(id);
    run?.take(lines);
    const wanted = lines.split("\n").filter((line) => run?.wantsEvents || !line.startsWith("passing "));
    if (wanted.length > 0) await ask(id, "notify", { lines: wanted.join("\n") });
  },
  rlmTool: async (id, tool, args) => (await ask(id, "tool", { tool, args })) ?? { result: null, error: OVER },
  rlmEgress: async (id, request) => (await ask(id, "egress", { request })) ?? "deny",
  rlmModel: async (id, number, call) => {
    const outcome = await ask(id, "model", { number, call });
    return outcome ?? JSON.stringify({ error: { name: "RunCancelled", message: OVER } });
  },
  rlmModelStop: async (id, number) => void (await ask(id, "modelStop", { number })),
});

export default { initialize, render };
