// @ts-check
/** Example: one click that asks the first sample question over its sample. In: the samples, an empty form. Out: `onRun`. */

import { html } from "/vendor/preact.mjs";
import { takeSample } from "./context_field.js";
import { state } from "./state.js";

/** @param {{onRun: () => void}} props */
export function Example({ onRun }) {
  const [sample] = state.samples;
  const isEmpty = state.question.trim() === "" && state.typed === "" && state.attachments.length === 0;
  if (sample === undefined || state.run !== null || !isEmpty || state.wanted.length > 0) return null;
  const run = async () => {
    await takeSample(sample);
    if (state.problems.context === null) onRun();
  };
  return html`<p class="example"><button type="button" class="small" id="example" onClick=${() => void run()}>Try an example</button>
    <span class="muted">“${sample.question}” over ${sample.title}</span></p>`;
}
