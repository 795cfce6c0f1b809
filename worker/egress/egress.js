// @ts-check
// Egress: the calls of one run on their way out: weighed, allowed or denied, and written down.
//
// In: the calls of a request, as they are about to leave. Out: null, or the error that they end with instead; and an
// `egress` event for each. Without a gate nothing waits for the weighing: it is done while the call is under way.

import { recordedCalls } from "../log/recorded_calls.js";
import { callStopped, providerError, toWireError } from "../wire/errors.js";
import { yieldToPage } from "../time/time_slices.js";

/**
 * @typedef {import("../wire/protocol.js").Event} Event
 * @typedef {import("../wire/protocol.js").Message} Message
 * @typedef {import("../wire/types.d.ts").HostCall} RequestedCall
 * @typedef {import("../wire/protocol.js").WireError} WireError
 * @typedef {import("../wire/types.d.ts").Leaving} Leaving
 * @typedef {import("../wire/types.d.ts").RLMDestination} RLMDestination
 * @typedef {import("../wire/types.d.ts").Usage} Usage
 * @typedef {import("./ledger.js").Known} Known
 * @typedef {import("./ledger.js").Ledger} Ledger
 * @typedef {import("./ledger.js").Weight} Weight
 */

export const MOST_SPANS = 100;
const CHARS_PER_TOKEN = 4;

/**
 * @param {object} options
 * @param {Ledger} options.ledger
 * @param {import("./gate.js").Gate} options.gate
 * @param {Pick<import("../wire/types.d.ts").Recorder, "record">} options.recorder
 * @param {number[]} options.path
 * @param {((kind: Leaving["kind"]) => Promise<void> | null) | null} [options.written] what calls wait for before they leave
 * @param {() => Usage} options.usage of the whole tree
 * @param {(detail: string) => void} options.onRootDenied
 */
export function openEgress({ ledger, gate, recorder, path, written = null, usage, onRootDenied }) {
  /** @type {Known} */
  const conversation = new Map();

  /** @param {Leaving} leaving */
  const weigh = ({ kind, calls }) => ledger.weigh(calls, kind === "root" ? conversation : new Map());
  /** @param {Leaving} leaving */
  const destinationsOf = ({ calls }) => Promise.all(calls.map(({ model }) => ledger.destinations.of(model)));
  /**
   * @param {Leaving} leaving
   * @param {{weights: Weight[], to: RLMDestination[]}} weighed
   * @param {string | null} denied
   */
  const enter = ({ first, calls }, { weights, to }, denied) => {
    if (denied !== null) ledger.refuse(calls.length);
    weights.forEach((weight, index) => {
      const added = denied === null ? ledger.enter(weight, to[index]) : 0;
      const about = { call: first + index, model: calls[index].model, to: to[index].to, added, denied, ledger };
      recorder.record(eventOf(weight, about));
    });
  };
  /**
   * @param {Leaving} leaving
   * @param {string | null} denied
   */
  const afterwards = async (leaving, denied) => {
    await yieldToPage();
    const weights = await weigh(leaving);
    enter(leaving, { weights, to: await destinationsOf(leaving) }, denied);
  };
  /** @param {Error} error */
  const lost = (error) => recorder.record({ type: "notice", code: null, text: `${UNWEIGHED}: ${error.message}` });
  /**
   * @param {Leaving} leaving
   * @param {string | null} denied
   */
  const enterAfterwards = (leaving, denied) => {
    const isGone = Promise.allSettled([denied === null ? written?.(leaving.kind) : null]);
    ledger.inTurn(() => isGone.then(() => afterwards(leaving, denied))).catch(lost);
  };
  /** @param {Leaving} leaving */
  const before = async (leaving) => {
    const weighed = { weights: await weigh(leaving), to: await destinationsOf(leaving) };
    const { signal } = leaving;
    const request = requestOf(leaving, weighed, { ledger, path, usage });
    const reason = signal.aborted ? "" : await gate.decide(request, ledger.spent(), imageChars(weighed));
    if (signal.aborted) return callStopped();
    enter(leaving, weighed, reason);
    return reason === null ? null : toWireError(providerError(`denied before it left: ${reason}`, { type: "denied" }));
  };

  /**
   * Enter calls that leave before their request is made; their events wait for it.
   * @param {Leaving} leaving
   * @param {{weights: Weight[], to: RLMDestination[]}} weighed
   */
  const enterAhead = ({ calls }, { weights, to }) =>
    weights.map((weight, index) => {
      const added = ledger.enter(weight, to[index]);
      const about = { call: -1, model: calls[index].model, to: to[index].to, added, denied: null, ledger };
      return eventOf(weight, about);
    });

  return {
    /**
     * Whether calls may leave ahead of their request: not where the caller is asked about each, and not where they would be
     * denied. A refusal leaves no trace: their request is weighed again.
     * @param {Leaving} leaving
     * @param {() => boolean} admit counts them, unless a limit of calls does not allow them
     * @returns {Promise<import("../wire/types.d.ts").SentAhead | null>}
     */
    async leaveAhead(leaving, admit) {
      const { signal, calls } = leaving;
      const mayLeave = () => !signal.aborted && admit();
      if (gate.asks || (await gate.refusal(calls, { isOfCode: true })) !== null) return null;
      const weighed = async () => ({ weights: await weigh(leaving), to: await destinationsOf(leaving) });
      if (gate.isOpen) {
        if (!mayLeave()) return null;
        const entered = ledger.inTurn(async () => enterAhead(leaving, await yieldToPage().then(weighed)));
        return { entered };
      }
      return ledger.inTurn(async () => {
        const found = await weighed();
        const request = requestOf(leaving, found, { ledger, path, usage });
        const isAllowed = (await gate.decide(request, ledger.spent(), imageChars(found))) === null && mayLeave();
        return isAllowed ? { entered: Promise.resolve(enterAhead(leaving, found)) } : null;
      });
    },
    /**
     * The request of calls that left ahead is made, or none will be: their events.
     * @param {number} first number of the first call
     * @param {import("../wire/types.d.ts").SentAhead} sent
     * @param {"used" | "unused"} ahead
     */
    recordAhead(first, { entered }, ahead) {
      const work = async () => {
        const events = await entered;
        events.forEach((event, index) => recorder.record({ ...event, call: first + index }));
        if (ahead === "unused") ledger.countUnused(events.length);
      };
      ledger.inTurn(work).catch(lost);
    },
    /**
     * @param {Leaving} leaving
     * @returns {Promise<WireError | null>}
     */
    async leave(leaving) {
      const isOfCode = leaving.kind === "sub" || path.length > 0;
      const refusal = await gate.refusal(leaving.calls, { isOfCode });
      if (refusal !== null || gate.isOpen) enterAfterwards(leaving, refusal?.message ?? null);
      if (refusal === null && gate.isOpen) return null;
      const denied =
        refusal === null ? await ledger.inTurn(() => before(leaving)).catch(toWireError) : toWireError(refusal);
      if (denied !== null && leaving.kind === "root" && !leaving.signal.aborted) onRootDenied(denied.detail);
      return denied;
    },
  };
}

const UNWEIGHED = "a call left whose text could not be searched for the context";

/**
 * @param {Weight} weight
 * @param {{call: number, to: string, model: string | null, added: number, denied: string | null, ledger: Ledger}} about
 * @returns {import("../wire/types.d.ts").Unstamped<Event & {type: "egress"}>}
 */
function eventOf({ chars, bytes, spans, contextChars, imageBytes }, { call, to, model, added, denied, ledger }) {
  const { contextChars: left, contextSize } = ledger.summary();
  const { shown, more } = longest(spans);
  return {
    type: "egress",
    ...{ call, to, model, chars, bytes, image_bytes: imageBytes, denied },
    ...{ context_chars: contextChars, new_chars: added, left_chars: left, context_size: contextSize },
    ...{ spans: shown, more_spans: more },
  };
}

/**
 * The longest spans, in their order.
 * @param {import("../wire/protocol.js").Span[]} spans
 */
function longest(spans) {
  if (spans.length <= MOST_SPANS) return { shown: spans, more: 0 };
  const bySize = [...spans].sort((one, other) => other.end - other.start - (one.end - one.start));
  const kept = new Set(bySize.slice(0, MOST_SPANS));
  return { shown: spans.filter((span) => kept.has(span)), more: spans.length - MOST_SPANS };
}

/**
 * @param {Leaving} leaving
 * @param {{weights: Weight[], to: RLMDestination[]}} weighed
 * @param {{ledger: Ledger, path: number[], usage: () => Usage}} known
 * @returns {import("../wire/types.d.ts").RLMEgressRequest}
 */
function requestOf({ kind, calls, signal }, { weights, to }, { ledger, path, usage }) {
  const spans = weights.flatMap((weight) => weight.spans);
  /** @param {"chars" | "bytes"} what */
  const sum = (what) => weights.reduce((total, weight) => total + weight[what], 0);
  const { contextChars: left, contextSize: of } = ledger.summary();
  const tokens = Math.ceil((sum("chars") + imageChars({ weights })) / CHARS_PER_TOKEN);
  const models = [...new Set(calls.map(({ model }) => model))];
  const destinations = [...new Map(to.map((destination) => [destination.to, destination])).values()];
  return {
    ...{
      kind,
      path: [...path],
      to: destinations.map((destination) => destination.to).join(", "),
      destinations,
      models,
      prompts: calls.length,
      chars: sum("chars"),
      bytes: sum("bytes"),
    },
    ...{ tokens, price: models.length === 1 ? priceOf(usage(), models[0], tokens) : null },
    contextChars: { added: ledger.gain(weights, to), left, of },
    ...longestOf(spans),
    texts: calls.map(textOf),
    images: calls.flatMap(imagesOf),
    signal,
  };
}

/** @param {import("../wire/protocol.js").Span[]} spans */
function longestOf(spans) {
  const { shown, more } = longest(spans);
  return { spans: shown, moreSpans: more };
}

/**
 * Characters that the images of calls count for.
 * @param {{weights: Weight[]}} weighed
 */
function imageChars({ weights }) {
  return weights.reduce((total, { imageTokens }) => total + imageTokens * CHARS_PER_TOKEN, 0);
}

/**
 * @param {RequestedCall} requestedCall
 * @param {number} prompt
 */
function imagesOf({ pictures = [] }, prompt) {
  return pictures.map(({ sent_sha256: _, ...image }) => ({ prompt, ...image }));
}

/** @param {RequestedCall} requestedCall */
function textOf({ messages }) {
  return messages.length === 1
    ? messages[0].content
    : messages.map(({ role, content }) => `${role}:\n${content}`).join("\n\n");
}

/**
 * US dollars of so many tokens, at the price of the model's calls so far, their replies included.
 * @param {Usage} usage
 * @param {string | null} model
 * @param {number} tokens
 */
function priceOf(usage, model, tokens) {
  const used = model === null || !Object.hasOwn(usage, model) ? null : usage[model];
  return used === null || used.cost === null || used.input_tokens === 0
    ? null
    : (used.cost / used.input_tokens) * tokens;
}

/**
 * Enter the calls of a log: they left in an earlier session.
 * @param {Ledger} ledger
 * @param {Event[]} events
 */
export function reenter(ledger, events) {
  return ledger.inTurn(async () => {
    const denied = new Set(
      events.flatMap((event) => (event.type === "egress" && event.denied !== null ? [event.call] : [])),
    );
    /** @type {Map<string, Known>} by the path of the run */
    const searched = new Map();
    for (const { number, path, kind, call } of recordedCalls(events)) {
      const known = searched.get(path.join(".")) ?? new Map();
      if (kind === "root") searched.set(path.join("."), known);
      const [weight] = await ledger.weigh([call], kind === "root" ? known : new Map());
      if (denied.has(number)) ledger.refuse(1);
      else ledger.enter(weight, await ledger.destinations.of(call.model));
    }
  });
}
