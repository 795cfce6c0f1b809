// @ts-check
/**
 * Recipients: who receives the text of model calls. In: the choice of who answers, the models and their hosts, the page's
 * address. Out: a sentence for a person, and whether any text leaves the tab. Nothing is asked.
 */

import { TITLES } from "./vendors.js";

/**
 * @typedef {object} Answered
 * @property {import("./answering.js").AnsweredBy | "own-server"} by
 * @property {string} address of the vendor or the server
 * @property {boolean} isHere the server is on this device
 * @property {readonly {id: string, provider: string, host: string}[]} models that the run may call, the root model first
 */

const BUILTIN = "builtin";

/** @param {Answered} answered @returns {{text: string, leaves: boolean}} */
export function recipientsOf({ by, address, isHere, models }) {
  if (by === "stand-in") return { text: "the stand-in, in this tab: nothing leaves it", leaves: false };
  if (by === "browser") return { text: "this browser’s own model: nothing leaves this device", leaves: false };
  if (by === "openai" || by === "anthropic")
    return { text: `${hostOf(address)}, straight from this page, with your key`, leaves: true };
  const server = isHere ? "the server on this machine" : `the server at ${hostOf(address)}`;
  const names = [...new Set(models.map((model) => nameOf(model, isHere)))];
  if (models.length > 0 && models.every(({ provider }) => provider === BUILTIN))
    return { text: `the stand-in on ${server}, and no vendor`, leaves: true };
  const who = names.length === 0 ? "the models of its list" : inWords(names);
  const isAllHere = isHere && models.length > 0 && models.every(isOnServer);
  return { text: isAllHere ? `${who}, through the server beside it` : `${who}, through ${server}`, leaves: true };
}

/** @param {{provider: string, host: string}} model */
function isOnServer({ provider, host }) {
  return provider === BUILTIN || host === "on this machine";
}

/** @param {{id: string, provider: string, host: string}} model @param {boolean} isHere */
function nameOf({ provider, host }, isHere) {
  const title = TITLES[provider] ?? provider;
  if (provider === BUILTIN) return "the stand-in";
  if (host === "on this machine") return `${title} ${isHere ? "on this machine" : "on the server’s machine"}`;
  if (host === "on the local network") return `${title} on ${isHere ? "the local network" : "the server’s network"}`;
  return title || "a provider that the server knows";
}

/** @param {readonly string[]} names */
function inWords(names) {
  return names.length < 2 ? String(names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** @param {string} address */
function hostOf(address) {
  return URL.canParse(address) ? new URL(address).host : "the address above";
}
