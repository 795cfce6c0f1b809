// The part that all apps share: questions answered in the page, without a server.

import { RLM } from "pyodide-rlm";
import { standIn } from "pyodide-rlm/providers/stand_in";

export const LEASE = "The lease of the mill was signed by Mara Lindqvist on 3 May 1931. The tenant pays in grain.";

/** Show two answers: one of the stand-in, one of a script whose value fits a schema; or the failure. */
export async function show(element, assets) {
  element.textContent = await answered(assets).catch((error) => error.message);
}

async function answered(assets) {
  const rlm = new RLM({ assets, provider: standIn({ assets }) });
  const { answer } = await rlm.run("Who signed the lease?", { context: LEASE });
  const provider = async () => ({ text: "```repl\nFINAL(len(context))\n```", usage: { cost: 0 } });
  const scripted = new RLM({ assets, provider });
  const { value } = await scripted.run("How long is it?", { context: LEASE, schema: { type: "integer" } });
  return `${answer} | ${value} of ${LEASE.length}`;
}
