// @ts-check
/**
 * The question before calls leave. In: the texts of a request. Out: the person's answer, "allow" or "deny"; Escape and
 * a stop of the run deny. The texts are there to be looked at.
 */

import { html, useLayoutEffect, useRef, useState } from "/vendor/preact.mjs";
import { bytes, count, plural } from "./format.js";
import { imageFacts, imageName } from "./images.js";
import { LongText } from "./long_text.js";
import { whole } from "./printed.js";
import { changed, state } from "./state.js";

/** @typedef {import("/rlm/rlm.js").RLMEgressRequest} EgressRequest */
/** @typedef {"allow" | "deny"} Answer */
/** @typedef {import("/rlm/rlm.js").RLMEgressAnswer} EgressAnswer */

const PAGE = 10;
const DENIED = "the person did not allow it";

/** @param {EgressRequest} request @returns {Promise<EgressAnswer>} */
export function askPerson(request) {
  const { run } = state;
  if (run?.asksNoMore) return Promise.resolve("allow");
  return new Promise((resolve) => {
    const answer = (/** @type {Answer} */ said) => {
      if (state.asking?.request === request) state.asking = null;
      changed();
      resolve(said === "allow" ? said : { deny: DENIED });
    };
    state.asking = { request, answer };
    request.signal.addEventListener("abort", () => answer("deny"), { once: true });
    changed();
  });
}

export function ConfirmDialog() {
  const { asking } = state;
  return asking && html`<${Dialog} key=${asking} request=${asking.request} answer=${asking.answer} />`;
}

/** @param {{request: EgressRequest, answer: (said: Answer) => void}} props */
function Dialog({ request, answer }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    answer("deny");
  };
  const allowAll = () => {
    if (state.run) state.run.asksNoMore = true;
    answer("allow");
  };
  return html`<dialog class="confirm" id="confirm" ref=${dialog} aria-labelledby="confirm-title" onCancel=${cancel}>
    <h2 id="confirm-title">Send ${request.kind === "root" ? "this to the root model" : plural(request.prompts, "prompt")}?</h2>
    <${Numbers} request=${request} />
    <${Texts} texts=${request.texts} />
    <${Images} images=${request.images} />
    <p class="confirm-buttons">
      <button type="button" class="small" id="confirm-deny" autofocus onClick=${() => answer("deny")}>Deny</button>
      <button type="button" class="small" id="confirm-all" onClick=${allowAll}>Send all from now on</button>
      <button type="button" class="primary small" id="confirm-send" onClick=${() => answer("allow")}>Send</button>
    </p>
  </dialog>`;
}

/** @param {{request: EgressRequest}} props */
function Numbers({ request }) {
  const { to, chars, bytes: size, tokens, price, contextChars } = request;
  const facts = [
    ["To", to],
    ["Size", `${plural(chars, "character")}, ${bytes(size)}, about ${plural(tokens, "token")}`],
    ["Price", price === null ? "not known" : `about ${price.toFixed(4)} USD`],
    ["Of the context", `${plural(contextChars.added, "character")} for the first time`],
    ["So far", `${count(contextChars.left)} of ${plural(contextChars.of, "character")} have left`],
  ];
  return html`<dl class="confirm-numbers">
    ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

/** @param {{images: EgressRequest["images"]}} props */
function Images({ images }) {
  const [shown, setShown] = useState(PAGE);
  if (images.length === 0) return null;
  return html`<div class="confirm-images" tabIndex="0" role="region" aria-label="Images that would be sent">
    ${images.slice(0, shown).map(
      (image) => html`<figure>
        ${image.base64 !== null && html`<img src=${`data:${image.type};base64,${image.base64}`} alt=${imageName(image)} />`}
        <figcaption>${imageName(image)}<br />${imageFacts(image)}<br /><code>SHA-256 ${image.sha256}</code></figcaption>
      </figure>`,
    )}
    ${
      images.length > shown &&
      html`<button type="button" class="quiet small" onClick=${() => setShown(shown + PAGE)}>
      Show more of ${plural(images.length, "image")}</button>`
    }
  </div>`;
}

/** @param {{texts: string[]}} props */
function Texts({ texts }) {
  const [shown, setShown] = useState(PAGE);
  return html`<div class="confirm-texts" tabIndex="0" role="region" aria-label="What would be sent">
    ${texts.slice(0, shown).map(
      (text, at) => html`<p class="label">Prompt ${count(at + 1)}</p>
      <${LongText} text=${whole(text)} class="output" label="Prompt" />`,
    )}
    ${
      texts.length > shown &&
      html`<button type="button" class="quiet small" onClick=${() => setShown(shown + PAGE)}>
      Show more of ${plural(texts.length, "prompt")}</button>`
    }
  </div>`;
}
