// @ts-check
/**
 * `<rlm-ask>`: a question over text and files, as an element of any page. In: attributes for endpoint, model and limits, and
 * the properties `provider`, `context` and `options`. Out: the answer with its quotes, in a shadow root, and the events
 * `rlm-event`, `rlm-result` and `rlm-error`. Nothing is asked before the person, or the page, asks it.
 */

import { RLM } from "/rlm/rlm.js";
import { LIMITS } from "/rlm/wire/protocol.js";
import { openProgress } from "./ask_progress.js";
import { openView } from "./ask_view.js";

/** @typedef {import("/rlm/rlm.js").RLMOptions} RLMOptions */
/** @typedef {import("/rlm/rlm.js").RLMResult} RLMResult */
/** @typedef {import("/rlm/rlm.js").RLMRunOptions} RLMRunOptions */

const TEXT_OPTIONS = ["endpoint", "model", "subModel", "assets", "host", "containment"];
const PROPERTIES = ["provider", "context", "options", "question"];
const NAME = "rlm-ask";
/** Where a server renders the page there are no elements: the module may be imported, and does nothing. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class RLMAsk extends Base {
  /** @type {RLMOptions["provider"]} */
  #provider = null;
  /** @type {RLMRunOptions["context"]} */
  #context = undefined;
  /** @type {RLMOptions} */
  #options = {};
  /** @type {AbortController | null} Of the run at work. */
  #running = null;
  #view;

  constructor() {
    super();
    this.#view = openView(this.attachShadow({ mode: "open", delegatesFocus: true }), {
      onAsk: () => void this.ask().catch(() => {}), // it is shown, and was an event
      onStop: () => this.stop(),
    });
  }

  /** Answers model calls in the page, in place of `endpoint`. */
  get provider() {
    return this.#provider;
  }

  set provider(provider) {
    this.#provider = provider ?? null;
  }

  /** Further options of `RLM`; they go before attributes. */
  get options() {
    return this.#options;
  }

  set options(options) {
    this.#options = options ?? {};
  }

  /** Of each question, in place of the field for text and files. */
  get context() {
    return this.#context;
  }

  set context(context) {
    this.#context = context;
    this.#view.hideContext(context !== undefined && context !== null);
  }

  get question() {
    return this.#view.question();
  }

  set question(text) {
    this.#view.setQuestion(String(text ?? ""));
  }

  connectedCallback() {
    this.#adopt();
    const question = this.getAttribute("question");
    if (question !== null && this.question === "") this.question = question;
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (!this.isConnected) this.stop(); // it was not just moved
    });
  }

  /** Stop the run at work; its result says so. */
  stop() {
    this.#running?.abort();
  }

  /**
   * Answer the question of the field, or `question`. Resolves and rejects as `RLM.run`.
   * @param {string} [question]
   * @returns {Promise<RLMResult>}
   */
  async ask(question) {
    if (this.#running !== null)
      throw new Error("<rlm-ask> is at work on a question: stop it, or await its rlm-result.");
    if (question !== undefined) this.question = question;
    const running = new AbortController();
    this.#running = running;
    this.#view.start();
    const progress = openProgress();
    try {
      const own = this.#options;
      const rlm = new RLM({
        ...this.#attributes(),
        ...(this.#provider === null ? {} : { provider: this.#provider }),
        ...own,
        onEvent: (event) => {
          own.onEvent?.(event);
          this.#view.progress(progress(event));
          this.#tell("rlm-event", event);
        },
      });
      const context = this.#context ?? this.#view.context();
      const result = await rlm.run(this.question, { signal: running.signal, ...(context === null ? {} : { context }) });
      this.#view.finish(result);
      this.#tell("rlm-result", result);
      return result;
    } catch (error) {
      this.#view.fail(/** @type {Error} */ (error));
      this.#tell("rlm-error", error);
      throw error;
    } finally {
      this.#running = null;
    }
  }

  /** The options that attributes name; a limit that is no number is refused by `RLM`, by its name. */
  #attributes() {
    const texts = TEXT_OPTIONS.map((option) => [option, this.getAttribute(attributeOf(option))]);
    const limits = Object.keys(LIMITS).map((option) => {
      const text = this.getAttribute(attributeOf(option));
      return [option, text === null ? null : Number(text)];
    });
    return Object.fromEntries([...texts, ...limits].filter(([, value]) => value !== null));
  }

  /** Properties that the page set before this module was there, given to their setters. */
  #adopt() {
    for (const name of PROPERTIES.filter((each) => Object.hasOwn(this, each))) {
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/** `maxIterations` as `max-iterations`. @param {string} option */
function attributeOf(option) {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

if (globalThis.customElements !== undefined && !customElements.get(NAME)) customElements.define(NAME, RLMAsk);
