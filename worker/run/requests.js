// @ts-check
// Requests: who answers a worker's requests: the endpoint, child runs, the caller's functions, or a recorded run.
//
// In: a run and its accounts. Out: a handler for each `op`; usage; and how to stop what is under way.

import { openBroker } from "../calls/broker.js";
import { fetchOverSocket, wasConnected } from "../calls/call_socket.js";
import { cancelRequest, isOwn } from "../calls/endpoint.js";
import { fetchWith } from "../calls/headers.js";
import { openEgress } from "../egress/egress.js";
import { openCalls, openToolCalls } from "./call_accounts.js";
import { openChildren } from "./children.js";
import { openTools } from "./tools.js";

/**
 * @typedef {import("./types.d.ts").Ending} Ending
 * @typedef {import("./types.d.ts").Hosting} Hosting
 * @typedef {import("./types.d.ts").RunOptions} RunOptions
 */

/**
 * @param {RunOptions} options
 * @param {object} run
 * @param {(calls: number) => void} run.onAnswered
 * @param {(ending: Ending) => void} run.stop
 * @param {(options: RunOptions) => Promise<import("../wire/protocol.js").RunResult>} run.runJob
 */
export function openRequests(options, { onAnswered, stop, runJob }) {
  const { job, tree, recorder, functions, resumed } = options;
  const { source, journal } = tree;
  const written = journal?.written ?? null;
  /** @param {string} detail */
  const onRootDenied = (detail) => stop({ stopped_by: "denied", detail });
  const usage = () => tree.usage.of([]);
  // of child runs side by side the order may be another one after a loss, and with it the calls' keys
  const mayRepeat = job.path.length === 0 ? tree.keepsReplies : () => false;
  /** @type {Parameters<typeof openBroker>[0]["written"]} */
  const leaving = journal && ((kind) => (kind === "sub" && mayRepeat() ? journal.abreast() : journal.written()));
  const egress = openEgress({
    ledger: tree.ledger,
    gate: tree.gate,
    recorder,
    path: job.path,
    written: leaving,
    usage,
    onRootDenied,
  });
  const calls = openCalls({ job, tree, recorder, egress, onAnswered });
  calls.refund(-(resumed?.rootCalls ?? 0));
  const { endpoint, headers, provider = null } = tree.hosting;
  const fetchOwn = isPlain(tree.hosting) ? fetchOverSocket(endpoint) : fetchWith(headers ?? {});
  const broker = openBroker({
    endpoint,
    provider,
    witness: calls,
    fetcher: fetchOwn,
    written: leaving,
    cancel: (endpoint, key) => cancelRequest(endpoint, key, fetchOwn),
    overlap: tree.hosting.overlap,
  });
  const recorded = source?.answering({ path: job.path, witness: calls, recorder, live: broker.handle }) ?? null;
  const children = openChildren(options, runJob);
  const called = source ? source.tools(job.path, functions.tools) : functions.tools;
  const tools = openTools({ functions: called, calls: openToolCalls({ recorder, onAnswered, written }) });
  tree.usage.open(job.path, broker.usage, { stored: broker.stored });
  if (recorded) tree.usage.open(job.path, recorded.usage, { isRecorded: true });

  return {
    /** @type {Readonly<Record<string, import("../wire/types.d.ts").Handler>>} */
    handlers: { complete: (recorded ?? broker).handle, child: children.handle, tool: tools.handle },
    ahead: broker.ahead,
    refund: calls.refund,
    stopChildren: children.stop,
    close() {
      children.close();
      broker.close();
    },
  };
}

/**
 * Whether calls go to this page's own server without headers: a gateway that asks for headers wants them with each
 * request, and a browser sends none with a WebSocket.
 * @param {Hosting} hosting
 */
function isPlain({ endpoint, headers }) {
  return isOwn(endpoint) && Object.keys(headers ?? {}).length === 0;
}

/**
 * Whether the server keeps the replies of calls, so that one that is made again, under its key, is not paid again: known
 * once there is a connection to it.
 * @param {Hosting} hosting
 * @returns {() => boolean}
 */
export function keepingReplies(hosting) {
  const mayBe = (hosting.provider ?? null) === null && isPlain(hosting);
  return () => mayBe && wasConnected(hosting.endpoint);
}
