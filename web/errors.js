// @ts-check
/**
 * Errors and endings in a person's words. In: a thrown value, or the result of a run that did not end with a final
 * answer. Out: a `Problem`: event, cause, and the one thing to do. Known by type and status, never by message.
 */

import { missingChannel } from "/rlm/wire/engine.js";
import { html } from "/vendor/preact.mjs";
import { explainFault } from "./faults.js";
import { sentence } from "./format.js";
import { withLabels } from "./limits.js";

/** @typedef {import("./types/run.js").Problem} Problem */
/** @typedef {import("./types/run.js").Remedy} Remedy */
/** @typedef {import("./types/run.js").StoppedBy} StoppedBy */
/** @typedef {{name: string, message: string}} Fault */

const NOT_LOST = "Your question and context are still here.";

/** @type {Problem} */
export const EMPTY_QUESTION = {
  title: "There is no question yet.",
  cause: "A run answers one question over the context.",
  action: "Write the question, then press Run.",
};

/** @type {Problem} */
export const SERVER_GONE = {
  title: "The server does not answer.",
  cause: `It was stopped, or the connection to it is gone. ${NOT_LOST}`,
  action: "Start it again with “pyodide-rlm serve”, then try once more.",
  remedy: "run",
};

/** Why this tab cannot run anything; null: it can. @returns {Problem | null} */
export function engineProblem() {
  const missing = missingChannel();
  return (
    missing && {
      title: "This tab cannot run Python that waits for a model.",
      cause: missing.cause,
      action: missing.remedy,
    }
  );
}

/** @type {Problem} */
export const INSECURE = {
  title: "This address needs HTTPS, or localhost.",
  cause:
    "Browsers give the memory that Python waits on to secure pages only, and this one came by http:// over a network.",
  action: "Open the page by https://, or at 127.0.0.1 on the machine itself.",
};

/** @type {Readonly<Record<string, (fault: Fault) => Problem>>} */
const BY_NAME = {
  ConfigError: ({ message }) => ({
    title: "The run was not started.",
    cause: withLabels(message),
    action: "Change the setting that it names.",
    remedy: "limits",
  }),
  ChannelError: ({ message }) => ({
    title: "Python did not start in this tab.",
    cause: `${message} ${NOT_LOST}`,
    action: "Run again; if it happens again, “pyodide-rlm doctor” says what is missing.",
    remedy: "run",
  }),
  ReplayError: ({ message }) => ({
    title: "This run does not go as the recorded one did.",
    cause: message,
    action: "Give the same context and the same question; a run that is not to be the same is a run of its own.",
  }),
  NotReadableError: unreadable,
  NotFoundError: unreadable,
};

/** @type {Readonly<Record<Exclude<StoppedBy, "provider_error">, Omit<Problem, "cause"> | null>>} */
const ENDINGS = {
  final_answer: null,
  cancelled: { title: "You stopped this run.", action: "Run again whenever you like.", remedy: "run" },
  max_iterations: {
    title: "All iterations were used.",
    action: "Allow more iterations, or ask a narrower question.",
    remedy: "limits",
  },
  max_sub_calls: { title: "All sub-calls were used.", action: "Allow more sub-calls.", remedy: "limits" },
  max_input_tokens: { title: "All input tokens were used.", action: "Allow more tokens.", remedy: "limits" },
  max_output_tokens: { title: "All output tokens were used.", action: "Allow more tokens.", remedy: "limits" },
  max_cost: { title: "The allowed cost was reached.", action: "Allow a higher cost.", remedy: "limits" },
  max_seconds: { title: "The time was up.", action: "Allow more time, or ask a narrower question.", remedy: "limits" },
  max_errors: {
    title: "The model's code failed too often in a row.",
    action: "Choose a stronger model, or put the question differently.",
    remedy: "models",
  },
  denied: {
    title: "A call of the root model was denied before it left.",
    action: "Run again and allow it, or allow more of the context to leave.",
    remedy: "limits",
  },
  worker_lost: { title: "The Python worker died.", action: "Run again: it gets a fresh worker.", remedy: "run" },
};

/**
 * @param {unknown} error anything that was thrown
 * @returns {Problem}
 */
export function explain(error) {
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  const known = BY_NAME[name];
  if (known) return known({ name, message });
  return {
    title: "The run failed for a reason that is not known.",
    cause: `${name}: ${message}`,
    action: "Run again; if it happens again, report it with this message.",
    remedy: "run",
  };
}

/**
 * Why a run ended without a final answer; `null` when it has one.
 *
 * @param {Pick<import("./types/run.js").RLMResult, "stoppedBy" | "detail" | "fault">} result
 * @returns {Problem | null}
 */
export function explainEnding({ stoppedBy, detail, fault }) {
  if (stoppedBy === "provider_error") return explainFault(fault, detail);
  const ending = ENDINGS[stoppedBy];
  return ending && { ...ending, cause: withLabels(detail) };
}

/** @param {Fault} fault @returns {Problem} */
function unreadable({ message }) {
  return {
    title: "A file of the context cannot be read.",
    cause: `It was moved, changed or locked since you chose it (${message}).`,
    action: "Remove it from the context and choose it again.",
  };
}

/** @type {Readonly<Record<Remedy, string>>} */
const REMEDIES = {
  run: "Run again",
  models: "Choose a model",
  question: "Edit the question",
  limits: "Change the limits",
  reload: "Reload the page",
};

/**
 * A problem, with the button that helps.
 *
 * @param {{problem: Problem, id?: string, tone?: "error" | "note", onRemedy?: (remedy: Remedy) => void}} props
 */
export function ProblemNotice({ problem, id, tone = "error", onRemedy }) {
  const { remedy } = problem;
  const button = remedy && onRemedy;
  return html`<div class="problem ${tone}" id=${id} role=${tone === "error" ? "alert" : undefined}>
    <p class="problem-title">${problem.title}</p>
    ${problem.cause && html`<p class="problem-cause">${sentence(problem.cause)}</p>`}
    <p class="problem-action">${problem.action}</p>
    ${
      button && html`<button type="button" class="small" onClick=${() => onRemedy(remedy)}>${REMEDIES[remedy]}</button>`
    }
  </div>`;
}
