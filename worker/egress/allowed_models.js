// @ts-check
// Allowed models: the allow-list of the models that a run, and the runs below it, may ask.
//
// In: the root model, the sub model and those that the caller allows beside them; then the model of a call. Out: null, or
// why it is refused, with the list. Null is the server's default model, which may be asked by its name too.

import { providerError } from "../wire/errors.js";

/** @typedef {ReturnType<typeof openAllowedModels>} AllowedModels */

/**
 * @param {object} options
 * @param {Array<string | null>} options.models
 * @param {() => Promise<string | null>} options.defaultModel its name, null where it is not known
 */
export function openAllowedModels({ models, defaultModel }) {
  const allowed = new Set(models);

  return {
    /**
     * @param {Array<string | null>} wanted
     * @returns {Promise<ReturnType<typeof providerError> | null>} about the first that is not allowed
     */
    async refusal(wanted) {
      const other = wanted.find((model) => !allowed.has(model));
      if (other === undefined) return null;
      const usual = await defaultModel();
      const named = new Set([...allowed].map((model) => model ?? usual));
      const refused = wanted.find((model) => !allowed.has(model) && !(named.has(model ?? usual) && usual !== null));
      return refused === undefined ? null : refusalOf(refused, named);
    },
  };
}

/**
 * @param {string | null} model
 * @param {Set<string | null>} allowed
 */
function refusalOf(model, allowed) {
  const list = [...allowed].map((name) => name ?? "the server's default, which has no name here").join(", ");
  const subject = model === null ? "the server's default model" : `the model "${model}"`;
  const message =
    `${subject} is not one of this run's models: ${list}. Nothing was sent. Ask one of these, or name none; ` +
    "the user can allow others (allowedModels, or --allow-model).";
  return providerError(message, { type: "model-not-allowed" });
}
