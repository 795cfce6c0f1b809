// A ledger and a gate over a context with one secret, opened for a test.

import { openAllowedModels } from "../../../worker/egress/allowed_models.js";
import { openDestinations } from "../../../worker/egress/destinations.js";
import { openEgress } from "../../../worker/egress/egress.js";
import { openGate } from "../../../worker/egress/gate.js";
import { openLedger } from "../../../worker/egress/ledger.js";

export const SECRET = "The vault in Lisbon opens with the code 48-17-93, says Ágnes Müller 🦊 of the archive.";
export const FILLER = Array.from(
  { length: 300 },
  (_, line) => `Line ${line * 7919} of the minutes, on the garden.\n`,
).join("");
export const TEXT = `${FILLER}${SECRET}\n${FILLER.toUpperCase()}`;
export const START = [...FILLER].length;
export const LENGTH = [...SECRET].length;

export const LIST = {
  default: "openai:big",
  models: [
    { id: "openai:big", host: "openai" },
    { id: "ollama:small", host: "on this machine" },
  ],
};
export const DESTINATIONS = openDestinations("https://here.example/api/rlm", async () => LIST);

export function encode(text) {
  return new TextEncoder().encode(text).buffer;
}
export function textContext(text, name = "context") {
  return { name, type: "text", data: encode(text) };
}
export function fileContext(name, data) {
  return { name, type: "file", data: new Blob([data]) };
}
export function jsonContext(value) {
  return { name: "context", type: "json", data: encode(JSON.stringify(value)) };
}
export function sub(...prompts) {
  return prompts.map((content) => ({ model: "m", messages: [{ role: "user", content }] }));
}

export function ledgerOf(...contexts) {
  const ledger = openLedger({ destinations: DESTINATIONS });
  ledger.add(contexts);
  return ledger;
}
export async function spansIn(ledger, prompt) {
  return (await ledger.weigh(sub(prompt), new Map()))[0].spans;
}
export function slices(text, spans) {
  return spans.map(({ start, end }) => [...text].slice(start, end).join(""));
}

export function open(
  { models = ["m", "other", null], written = null, ...rules } = {},
  contexts = [textContext(TEXT)],
  usage = {},
) {
  const ledger = ledgerOf(...contexts);
  const events = [];
  const endings = [];
  const allowedModels = openAllowedModels({ models, defaultModel: ledger.destinations.defaultModel });
  const gate = openGate({ maxContextChars: null, onEgress: null, allowedModels, ...rules });
  const about = { ledger, gate, recorder: { record: (event) => events.push(event) }, path: [], usage: () => usage };
  const egress = openEgress({ ...about, written, onRootDenied: (detail) => endings.push(detail) });
  const { signal } = new AbortController();
  const leave = async (calls, { kind = "sub", first = 0, ...more } = {}) => {
    const denied = await egress.leave({ first, kind, calls, signal, ...more });
    await ledger.settled();
    return denied?.detail ?? null;
  };
  return { ledger, events, endings, leave };
}

export function to(model, ...prompts) {
  return sub(...prompts).map((call) => ({ ...call, model }));
}
