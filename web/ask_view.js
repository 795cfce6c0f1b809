// @ts-check
/**
 * View of `<rlm-ask>`: its fields, and the answer below them, as nodes of a shadow root. In: what the element knows of its
 * run. Out: the question, the context, and the person's two wishes, ask and stop. Text of a model is Markdown without any
 * markup of its own; see markdown.js.
 */

import { STYLE } from "./ask_style.js";
import { bytes, sentence } from "./format.js";
import { readFolder } from "./folders.js";
import { markdownNodes, MOST_MARKDOWN_CHARS } from "./markdown.js";
import { placeOf, STATUSES } from "./quote_words.js";

/** @typedef {import("/rlm/rlm.js").RLMResult} RLMResult */
/** @typedef {import("/rlm/rlm.js").RLMEvidence} RLMEvidence */

const TEXT_NAME = "text.txt";
const MOST_LISTED = 20;

/**
 * @param {ShadowRoot} root
 * @param {{onAsk: () => void, onStop: () => void}} wishes
 */
export function openView(root, { onAsk, onStop }) {
  const style = new CSSStyleSheet();
  style.replaceSync(STYLE);
  root.adoptedStyleSheets = [style];
  const text = made("textarea", { id: "text", part: "text", rows: 4 });
  const chooser = made("input", { id: "files", type: "file", multiple: true, className: "unseen" });
  const list = made("ul", { part: "files", hidden: true });
  const problem = made("p", { part: "problem", hidden: true });
  const choose = made(
    "p",
    {},
    chooser,
    made("label", { htmlFor: "files", part: "choose" }, slot("choose-label", "Choose files")),
  );
  choose.append(" ", slot("drop-label", "or drop them here"));
  const textLabel = made("label", { htmlFor: "text" }, slot("context-label", "Text or files to ask about"));
  const drop = made("div", { part: "drop" }, textLabel, text, choose, list, problem);
  const question = made("textarea", { id: "question", part: "question", rows: 2, required: true });
  const questionLabel = made("label", { htmlFor: "question" }, slot("question-label", "Question"));
  const ask = made("button", { part: "ask" }, slot("ask-label", "Ask"));
  const stop = made("button", { type: "button", part: "stop", hidden: true }, slot("stop-label", "Stop"));
  const form = made(
    "form",
    { part: "form" },
    drop,
    questionLabel,
    question,
    made("p", { className: "row" }, ask, stop),
  );
  const step = made("span", { role: "status" });
  const detail = made("span", { className: "detail" });
  const progress = made("p", { part: "progress", hidden: true }, step, detail);
  const error = made("p", { part: "error", role: "alert" });
  const answer = made("div", { part: "answer" });
  const ending = made("p", { part: "ending", hidden: true });
  const evidence = made("ol", { part: "evidence" });
  const quotes = made("section", { hidden: true }, made("h3", {}, "Evidence"), evidence);
  quotes.setAttribute("aria-label", "Evidence");
  const result = made("section", { part: "result", hidden: true }, answer, ending, quotes);
  result.setAttribute("aria-label", "Answer");
  root.append(form, progress, error, result);
  /** @type {File[]} */
  let files = [];

  /** @param {File[]} more */
  const take = (more) => {
    files = [...files, ...more];
    showFiles();
  };
  const showFiles = () => {
    list.hidden = files.length === 0;
    list.replaceChildren(...files.slice(0, MOST_LISTED).map((file, index) => fileItem(file, () => remove(index))));
    if (files.length > MOST_LISTED) list.append(made("li", {}, `and ${files.length - MOST_LISTED} more`));
  };
  /** @param {number} index */
  const remove = (index) => {
    files = files.filter((_, at) => at !== index);
    showFiles();
    chooser.focus();
  };
  /** @param {DataTransfer} data which is empty as soon as this function waits */
  const takeDrop = async (data) => {
    const items = [...data.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
    take(items.flatMap(({ entry, file }) => (file === null || entry?.isDirectory ? [] : [file])));
    for (const { entry } of items) {
      if (!entry?.isDirectory) continue;
      const folder = await readFolder(/** @type {FileSystemDirectoryEntry} */ (entry), () => {});
      if ("files" in folder) take(folder.files);
      else say(`${folder.cause} ${folder.action}`);
    }
  };
  /** @param {string} words about the chosen files; none: all is well */
  const say = (words) => {
    problem.hidden = words === "";
    problem.textContent = words;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onAsk();
  });
  stop.addEventListener("click", onStop);
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!ask.disabled) form.requestSubmit(ask);
  });
  chooser.addEventListener("change", () => {
    take([...(chooser.files ?? [])]);
    chooser.value = "";
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("is-over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("is-over");
    say("");
    if (event.dataTransfer !== null)
      takeDrop(event.dataTransfer).catch((fault) => say(`The folder cannot be read: ${fault.message}`));
  });
  /** @param {boolean} isAtWork */
  const work = (isAtWork) => {
    ask.disabled = isAtWork;
    stop.hidden = !isAtWork;
    progress.classList.toggle("is-busy", isAtWork);
  };

  return {
    question: () => question.value,
    /** @param {string} words */
    setQuestion: (words) => void (question.value = words),
    /** @param {boolean} isHidden */
    hideContext: (isHidden) => void (drop.hidden = isHidden),
    /** The text and the files of the fields; null: there are none. */
    context() {
      if (files.length === 0) return text.value.trim() === "" ? null : text.value;
      return text.value.trim() === "" ? files : [new File([text.value], TEXT_NAME, { type: "text/plain" }), ...files];
    },
    start() {
      work(true);
      result.hidden = true;
      error.textContent = "";
      progress.hidden = false;
      [step.textContent, detail.textContent] = ["Starting Python", ""];
    },
    /** @param {import("./ask_progress.js").Progress} now */
    progress(now) {
      if (step.textContent !== now.step) step.textContent = now.step;
      detail.textContent = now.detail === "" ? "" : `: ${now.detail}`;
    },
    /** @param {Pick<RLMResult, "answer" | "detail" | "evidence" | "stoppedBy">} done */
    finish(done) {
      work(false);
      const isAnswered = done.stoppedBy === "final_answer";
      [step.textContent, detail.textContent] = [isAnswered ? "Answered" : "Ended without a final answer", ""];
      const isShort = done.answer.length <= MOST_MARKDOWN_CHARS;
      answer.replaceChildren(isShort ? markdownNodes(done.answer) : made("pre", {}, done.answer));
      ending.hidden = done.detail === "";
      ending.textContent = sentence(done.detail);
      evidence.replaceChildren(...done.evidence.map(quoteItem));
      quotes.hidden = done.evidence.length === 0;
      result.hidden = false;
    },
    /** @param {Error} fault */
    fail(fault) {
      work(false);
      progress.hidden = true;
      error.textContent = sentence(fault.message);
    },
  };
}

/**
 * @param {File} file
 * @param {() => void} onRemove
 */
function fileItem(file, onRemove) {
  const name = file.webkitRelativePath || file.name;
  const button = made("button", { type: "button", part: "remove", onclick: onRemove }, "Remove");
  button.setAttribute("aria-label", `Remove ${name}`);
  return made("li", {}, `${name}, ${bytes(file.size)} `, button);
}

/** @param {RLMEvidence} item */
function quoteItem(item) {
  const { mark, words } = STATUSES[item.status];
  const place = item.start === null ? "" : `${placeOf(item)}; `;
  const shown = made("span", { className: "mark" }, `${mark} `);
  shown.setAttribute("aria-hidden", "true");
  return made(
    "li",
    { part: `quote ${item.status}` },
    shown,
    made("q", {}, item.quote),
    made("small", {}, ` ${place}${words}`),
  );
}

/**
 * An element with its properties; `part` and `role` are attributes.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown> & {part?: string}} properties
 * @param {...(Node | string)} children
 */
function made(tag, { part, ...properties }, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (part !== undefined) element.setAttribute("part", part);
  element.append(...children);
  return element;
}

/**
 * A label that a page may replace by a child of its own with this name as its `slot`.
 * @param {string} name
 * @param {string} words
 */
function slot(name, words) {
  return made("slot", { name }, words);
}
