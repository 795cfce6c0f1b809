// @ts-check
/**
 * Conversations that are kept in this browser, reopened after a reload. In: the journal, which has one run for each question.
 * Out: the questions as they are shown, and as a new session restores them. Nothing is run here.
 */

import { endedRuns, readLog, unfinished } from "/rlm/log/journal.js";
import { wholeRun } from "./recorded.js";

/** @typedef {import("/rlm/log/journal.js").KeptRun} KeptRun */
/** @typedef {import("/rlm/log/journal.js").EndedRun} EndedRun */
/** @typedef {import("./types/run.js").RunView} RunView */
/** The questions that ended, and the one that did not. @typedef {{name: string, ended: EndedRun[], open: KeptRun | null}} KeptConversation */

/** Whether it is a console entry, no question. @param {KeptRun} run */
export function isEntry({ options }) {
  return options.console === true;
}

/** Name of the conversation that a run is a question of; null where it is of none. @param {KeptRun} run */
export function conversationOf({ name, options: { session } }) {
  if (session === 0) return name;
  const suffix = typeof session === "number" ? `.${session + 1}` : "";
  return suffix !== "" && name.endsWith(suffix) ? name.slice(0, -suffix.length) : null;
}

/**
 * @param {string} name
 * @returns {Promise<KeptConversation | null>} null where a question of it is gone
 */
export async function keptConversation(name) {
  const [ended, open] = await Promise.all([endedRuns(), unfinished()]);
  const own = ended.filter((run) => conversationOf(run) === name).sort((one, other) => numberOf(one) - numberOf(other));
  const left = open.find((run) => conversationOf(run) === name && !isEntry(run)) ?? null;
  const isWhole = [...own, ...(left ? [left] : [])].every((run, at) => numberOf(run) === at);
  return isWhole && own.length + (left ? 1 : 0) > 0 ? { name, ended: own, open: left } : null;
}

/** @param {KeptRun} run */
function numberOf({ options }) {
  return Number(options.session);
}

/** The questions as they were shown when they ended. @param {KeptConversation} conversation @returns {Promise<RunView[]>} */
export async function viewsOf({ ended }) {
  const logs = await Promise.all(ended.filter((run) => !isEntry(run)).map(({ name }) => readLog(name)));
  return logs.map((log) => ({ ...wholeRun(log), recorded: null }));
}

/** Logs of its console entries. @param {KeptConversation} conversation @returns {Promise<string[]>} */
export async function entryLogsOf({ ended }) {
  return Promise.all(ended.filter(isEntry).map(({ name }) => readLog(name)));
}

/**
 * The questions and entries as `RLM.session` takes them.
 *
 * @param {KeptConversation} conversation
 * @param {import("./context.js").Context} value the context of the first one, where it was not kept
 * @returns {Promise<import("/rlm/rlm.js").RLMEarlierQuestion[]>}
 */
export async function earlierOf({ ended }, value) {
  return Promise.all(
    ended.map(async ({ name, contexts }, at) => {
      const log = await readLog(name);
      if (contexts.length > 0) return { log, journal: name };
      return at === 0 && value !== null ? { log, context: value } : { log };
    }),
  );
}

/** Whether the context of its first question must be given again. @param {KeptConversation} conversation */
export function firstOf({ ended, open }) {
  return /** @type {KeptRun} */ (ended[0] ?? open);
}
