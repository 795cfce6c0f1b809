// @ts-check
/** Introduction: the way of a question, in three sentences, shown until there is a run. */

import { html } from "/vendor/preact.mjs";

export function Introduction() {
  return html`<section class="introduction" aria-label="How it works">
    <p class="lead">Ask a question over a text of any size.</p>
    <ol>
      <li>Python starts in this tab, and your context is put into it. It is not uploaded anywhere.</li>
      <li>A model that cannot see the context writes code that looks at it, cuts it up, and puts small questions about
        the pieces to a model. Every step is shown as it happens; only the text of these calls leaves the tab.</li>
      <li>It ends with an answer, or with the best there is when you stop it or a limit is reached.</li>
    </ol>
  </section>`;
}
