// @ts-check
// Destination: one line for where a model call goes, and back.
//
// In: origin, model and host class, as far as they are known. Out: `https://here.example → openai:gpt-5 (openai)`, which
// stands in logs; older logs hold the origin alone.

/** @typedef {import("./types.d.ts").RLMDestination} RLMDestination */

const ARROW = " → ";
const UNNAMED = "the server's default model";
const MODEL_AND_HOST = /^(?<model>\S+)(?: \((?<host>[^)]*)\))?$/;

/**
 * @param {string} origin
 * @param {string | null} model
 * @param {string | null} host
 * @param {string} [unnamed] the words for a model that is not known
 * @returns {RLMDestination}
 */
export function destinationOf(origin, model, host, unnamed = UNNAMED) {
  const to = `${origin}${ARROW}${model ?? unnamed}${host === null ? "" : ` (${host})`}`;
  const provider = model?.includes(":") ? model.slice(0, model.indexOf(":")) : null;
  return { to, origin, provider, model, host };
}

/**
 * The destination that a log names; its line stays as it is.
 * @param {string} to
 * @returns {RLMDestination}
 */
export function readDestination(to) {
  const [origin, rest = ""] = to.split(ARROW);
  const { model, host } = MODEL_AND_HOST.exec(rest)?.groups ?? {};
  return { ...destinationOf(origin, model ?? null, host ?? null), to };
}
