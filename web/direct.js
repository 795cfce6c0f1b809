// @ts-check
/**
 * Direct offer: a context that fits into the root model's window can be asked in one call. In: the form. Out: a sentence
 * with the numbers, and the button; nothing where it does not fit. It is never taken by itself.
 */

import { MOST_SHARE, estimate } from "/rlm/wire/context_size.js";
import { LIMITS } from "/rlm/wire/protocol.js";
import { html } from "/vendor/preact.mjs";
import { count, plural } from "./format.js";
import { chosenModel } from "./settings.js";
import { isRunning, state } from "./state.js";

/** @param {{onAsk: () => void}} props */
export function DirectOffer({ onAsk }) {
  const offer = offered();
  if (offer === null) return null;
  const { tokens, window, why } = offer;
  const isHeld = isRunning() || state.isQueued; // its place stays, so that the answer does not jump when the run ends
  return html`<div class="direct-offer ${isHeld ? "is-held" : ""}" id="direct-offer">
    <button type="button" id="ask-directly" class="small" onClick=${onAsk} aria-describedby="direct-why">Ask in one direct call</button>
    <span class="muted" id="direct-why">About ${plural(tokens, "token")}: fits into the model’s window, ${count(window)}${why}. Costs less, and is often
      better on an easy question.</span>
  </div>`;
}

/** The numbers of the offer, null where there is none. */
function offered() {
  if (state.looking !== "") return null;
  const typed = state.typed === "" ? [] : [{ name: "", size: state.typed.length }];
  const files = [...typed, ...state.attachments.flatMap((attachment) => attachment.files)];
  if (files.length === 0) return null;
  const model = state.catalogue?.models.find(({ id }) => id === chosenModel());
  const { windowTokens } = state.settings;
  const window = windowTokens ?? model?.window_tokens ?? Number(LIMITS.windowTokens.default);
  const { tokens, pictures } = estimate(files);
  if (tokens > window * MOST_SHARE || (pictures > 0 && model?.images === false)) return null;
  const isAssumed = (windowTokens ?? model?.window_tokens ?? null) === null;
  return { tokens: Math.max(1, tokens), window, why: isAssumed ? " (assumed)" : "" };
}
