// @ts-check
/** Introduction: the way of a question, in three sentences, shown until there is a run. */

import { html } from "/vendor/preact.mjs";
import { recipients } from "./before_run.js";

export function Introduction() {
  const { text, leaves } = recipients();
  const calls = leaves ? `only the text of these calls leaves the tab, to ${text}` : `they are answered by ${text}`;
  return html`<section class="introduction" aria-label="How it works">
    <p class="lead">Ask a question over a text of any size.</p>
    <ol>
      <li>Python starts in this tab, and your context is put into it. ${leaves ? "It is not uploaded as a whole." : "Nothing is uploaded."}</li>
      <li>A model that cannot see the context writes code that looks at it, cuts it up, and puts small questions about
        the pieces to a model. Every step is shown as it happens; ${calls}.</li>
      <li>It ends with an answer, or with the best there is when you stop it or a limit is reached.</li>
    </ol>
  </section>`;
}
