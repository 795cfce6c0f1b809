// @ts-check
/**
 * Refusal of a run by the form. In: the form's state. Out: the first field that forbids the run has its problem beside it,
 * and the focus.
 */

import { EMPTY_QUESTION } from "./errors.js";
import { wrongLimit } from "./limits.js";
import { wrongModelOption } from "./model_options.js";
import { schemaOf } from "./schema_field.js";
import { modelProblem, servedLimits } from "./settings.js";
import { changed, state } from "./state.js";
import { wantedProblem } from "./wanted.js";

/** Whether a field forbids the run: its problem is shown there, and it takes the focus. */
export function isRefused() {
  const models = modelProblem();
  const limit = wrongLimit(state.settings, servedLimits());
  const { modelOptions, subModelOptions } = state.settings;
  const option = wrongModelOption({ model: modelOptions, subModel: subModelOptions });
  const { why: wrongSchema } = schemaOf(state.settings.schema);
  const wanted = wantedProblem();
  if (state.question.trim() === "") {
    state.problems.question = EMPTY_QUESTION;
    focusOn("question");
  } else if (wanted) focusOnContext(wanted);
  else if (models) focusOn(models.focus);
  else if (option) focusOnOption(option);
  else if (limit) focusOnLimit(limit.name);
  else if (wrongSchema !== "") focusOnSchema();
  else return false;
  changed();
  return true;
}

function focusOnSchema() {
  document.getElementById("schema-field")?.setAttribute("open", "");
  focusOn("schema");
}

/** @param {{panel: string, field: string}} option */
function focusOnOption({ panel, field }) {
  document.getElementById(panel)?.setAttribute("open", "");
  focusOn(field);
}

/** @param {string} name */
export function focusOnLimit(name) {
  document.getElementById("limits")?.setAttribute("open", "");
  focusOn(`limit-${name}`);
}

/** @param {string} id */
export function focusOn(id) {
  document.getElementById(id)?.focus();
}

/** Show a problem of the context at its field. @param {import("./types/run.js").Problem} problem */
export function focusOnContext(problem) {
  state.problems.context = problem;
  changed();
  requestAnimationFrame(() => document.getElementById(state.wanted.length > 0 ? "wanted" : "context-text")?.focus());
}
