// Types of ask.js: the element `<rlm-ask>`. The module defines it where there are elements; on a server it does nothing.
import type { Event, RLMOptions, RLMResult, RLMRunOptions } from "./rlm.d.ts";

/**
 * A question over text and files: fields, progress, the answer with its quotes. Attributes: `endpoint`, `model`, `sub-model`,
 * `assets`, `host`, `containment`, `question`, and each limit under its name in lower case (`max-cost`, `max-iterations`).
 */
export class RLMAsk extends HTMLElement {
  /** Answers model calls in the page, in place of `endpoint`. */
  provider: RLMOptions["provider"];
  /** Context of each question; the field for text and files is hidden then. */
  context: RLMRunOptions["context"];
  /** Further options of `RLM`, such as `token`, `tools` and `onEgress`; they go before attributes. */
  options: RLMOptions;
  /** Text of the field. */
  question: string;
  /** Answer the question of the field, or `question`. Resolves and rejects as `RLM.run`, and rejects while a run is at work. */
  ask(question?: string): Promise<RLMResult>;
  /** Stop the run at work; its result says so. */
  stop(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "rlm-ask": RLMAsk;
  }
  interface HTMLElementEventMap {
    /** Each event of the run. */
    "rlm-event": CustomEvent<Event>;
    "rlm-result": CustomEvent<RLMResult>;
    /** No result, since nothing could run: the error of `RLM.run`. */
    "rlm-error": CustomEvent<Error>;
  }
}
