// @ts-check
// Allowed models: the allow-list of the models that a run, and the runs below it, may ask.
//
// In: the root model, the sub model and those that the caller allows beside them; then the model of a call. Out: null, or
// why it is refused, with the list. Null is the server's default model, which may be asked by its name too. A model that
// searches or browses at its vendor takes calls of model code only where the caller named it for them.

import { providerError } from "../wire/errors.js";

/** @typedef {ReturnType<typeof openAllowedModels>} AllowedModels */

/**
 * @param {object} options
 * @param {Array<string | null>} options.models
 * @param {Array<string | null>} [options.forCode] those of them that were named for calls of model code
 * @param {(model: string | null) => Promise<boolean>} [options.hasTools] whether it searches or browses at its vendor
 * @param {(model: string | null) => Promise<boolean | null>} [options.takesImages] null where that is not known
 * @param {() => Promise<string | null>} options.defaultModel its name, null where it is not known
 */
export function openAllowedModels(options) {
  const { models, defaultModel, forCode = models } = options;
  const { hasTools = async () => false, takesImages = async () => null } = options;
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
      const names = new Set([...allowed].map((model) => model ?? usual));
      const refused = wanted.find((model) => !allowed.has(model) && !(names.has(model ?? usual) && usual !== null));
      return refused === undefined ? null : refusalOf(refused, names);
    },
    /**
     * The same of calls that hold images.
     * @param {Array<string | null>} wanted
     * @returns {Promise<ReturnType<typeof providerError> | null>}
     */
    async refusalOfImages(wanted) {
      for (const model of new Set(wanted))
        if ((await takesImages(model)) === false) return imagesRefusal(model ?? (await defaultModel()));
      return null;
    },
    /**
     * The same of calls that model code makes, for what the models do beside their reply.
     * @param {Array<string | null>} wanted
     * @returns {Promise<ReturnType<typeof providerError> | null>}
     */
    async refusalToCode(wanted) {
      const usual = await defaultModel();
      const named = new Set(forCode.map((model) => model ?? usual));
      for (const model of new Set(wanted))
        if (!named.has(model ?? usual) && (await hasTools(model))) return toolsRefusal(model);
      return null;
    },
  };
}

/** @param {string | null} model */
function imagesRefusal(model) {
  const message =
    `the model ${model} takes no images. Nothing was sent. Read the text with read(file), or name a model that takes ` +
    "images, which the user can choose (subModel or allowedModels; --sub-model or --allow-model).";
  return providerError(message, { type: "model-without-images" });
}

/** @param {string | null} model */
function toolsRefusal(model) {
  const subject = model === null ? "the server's default model" : `the model "${model}"`;
  const message =
    `${subject} searches or browses the web at its vendor, with what a prompt holds. So code may not call it unless the user ` +
    "names it for that (subModel or allowedModels; --sub-model or --allow-model). Nothing was sent.";
  return providerError(message, { type: "model-not-allowed" });
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
