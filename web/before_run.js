// @ts-check
/**
 * Before Run: who will receive text, the tokens that the root model is likely to use, and their price. In: the form. Out: two
 * lines beside the button. An estimate is called one.
 */

import { estimate } from "/rlm/wire/context_size.js";
import { LIMITS } from "/rlm/wire/protocol.js";
import { html } from "/vendor/preact.mjs";
import { ENDPOINT } from "./address.js";
import { answeredAt } from "./answering.js";
import { costOf, forecast, rounded } from "./forecast.js";
import { count, plural } from "./format.js";
import { recipientsOf } from "./recipients.js";
import { chosenModel, chosenSubModel } from "./settings.js";
import { state } from "./state.js";
import { cost } from "./usage.js";

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\]|.*\.localhost)$/;
const CHARS_PER_TOKEN = 4;

/** Who receives text, as the form stands. */
export function recipients() {
  const { by, address } = answeredAt();
  const url = address || ENDPOINT;
  const isHere = URL.canParse(url) && LOOPBACK.test(new URL(url).hostname);
  const ids = [chosenModel(), chosenSubModel(), ...state.settings.allowedModels].filter((id) => id !== "");
  const models = [...new Set(ids)].map(modelOf);
  return recipientsOf({ by, address: url, isHere, models });
}

/** @param {string} id */
function modelOf(id) {
  const listed = state.catalogue?.models.find((model) => model.id === id);
  const named = id.includes(":") ? id.slice(0, id.indexOf(":")) : ""; // a name alone says not who offers it
  return { id, provider: listed?.provider ?? named, host: listed?.host ?? "" };
}

export function BeforeRun() {
  const { text } = recipients();
  return html`<div class="before-run muted" id="before-run">
    <p id="recipients">Text of model calls goes to <strong>${text}</strong>.</p>
    <p id="forecast">${inTokens()}</p>
  </div>`;
}

function inTokens() {
  const { question, typed, attachments, settings, catalogue } = state;
  const files = attachments.flatMap(({ files: own }) => own);
  const contextChars = typed.length + estimate(files).tokens * CHARS_PER_TOKEN;
  const { low, high, iterations } = forecast({
    questionChars: question.length,
    contextChars,
    maxIterations: settings.maxIterations ?? Number(LIMITS.maxIterations.default),
    maxOutputChars: settings.maxOutputChars ?? Number(LIMITS.maxOutputChars.default),
  });
  const [least, most] = [low, high].map(({ input, output }) => count(rounded(input + output)));
  const price = catalogue?.models.find(({ id }) => id === chosenModel())?.price ?? null;
  return html`Estimate: the root model takes ${least} to ${most} tokens in its first ${plural(iterations, "iteration")}${price && settings.showsPrices && priced(low, high, price)}.
    Sub-calls come on top, as its code asks for them.`;
}

/** @param {import("./forecast.js").Tokens} low @param {import("./forecast.js").Tokens} high @param {import("./forecast.js").Tokens} price */
function priced(low, high, price) {
  if (price.input === 0 && price.output === 0) return ", at no cost";
  const [least, most] = [low, high].map((tokens) => cost(costOf(tokens, price)));
  return html`, about <strong>${least} to ${most}</strong> (${cost(price.input)} in, ${cost(price.output)} out per million)`;
}
