// @ts-check
/**
 * Take it along: a finished run, with the questions before it, as a report or a notebook, and as code for Python. In: a
 * `RunView` that ended. Out: downloads, and text to copy. Nothing is sent.
 */

import { LIMITS } from "/rlm/wire/protocol.js";
import { html, useState } from "/vendor/preact.mjs";
import { CopyButton } from "./copy.js";
import { fileName, trajectoryOf } from "./log_file.js";
import { pythonOf } from "./python_code.js";
import { FORMS, reportOf } from "./report.js";
import { save } from "./save.js";
import { state } from "./state.js";

/** @typedef {import("./types/run.js").RunView} RunView */
/** @typedef {import("./report.js").Form} Form */

/** @type {readonly [Form, string, string][]} */
const CHOICES = [
  ["html", "HTML", "One file without a script: answer, quotes, iterations, tables and pictures."],
  ["markdown", "Markdown", "The answer and its quotes, as text."],
  ["ipynb", "Notebook", "The code of the run, which runs in Jupyter: model calls are answered from the record."],
];

/** @param {{run: RunView}} props */
export function TakeAlong({ run }) {
  const [said, say] = useState("");
  const [started] = run.events;
  if (run.result === null || started?.type !== "run_started") return null;
  const download = async (/** @type {Form} */ form) => {
    say("Making the file …");
    say(await saved(run, form).catch((/** @type {Error} */ error) => `It could not be made: ${error.message}`));
  };
  return html`<details class="take-along" id="take-along">
    <summary>Take it along <span class="muted">report, notebook, Python</span></summary>
    <ul>${CHOICES.map(
      ([
        form,
        label,
        about,
      ]) => html`<li><button type="button" class="small" id="take-${form}" onClick=${() => void download(form)}>${label}</button>
      <span class="muted">${about}</span></li>`,
    )}</ul>
    <p role="status" id="take-said" class="muted">${said}</p>
    <h3>Continue in Python</h3>
    <pre class="output" id="python-code" tabindex="0" aria-label="Python code">${pythonOf(started, LIMITS)}</pre>
    <p><${CopyButton} id="copy-python" text=${pythonOf(started, LIMITS)} label="Copy the code" /></p>
    <p class="muted">The trajectory plays on any page of this program: drop it here, or put it on the page’s own site and link to
      ${" "}<code>?recording=</code> and its path. Playing it needs no server and no model.</p>
  </details>`;
}

/** @param {RunView} run @param {Form} form @returns {Promise<string>} a sentence */
async function saved(run, form) {
  const before = run === state.followable ? state.turns : [];
  const typed = [...before, run].map(({ context }) => context).find((context) => typeof context === "string") ?? null;
  const text = await reportOf([...before, run].map(trajectoryOf), form, { typed });
  const { suffix, type } = FORMS[form];
  const name = fileName("report", suffix);
  save(new Blob([text], { type }), name);
  return `Saved as ${name}.`;
}
