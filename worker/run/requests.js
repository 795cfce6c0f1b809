// @ts-check
// Requests: who answers a worker's requests: the endpoint, child runs, the caller's functions, or a recorded run.
//
// In: a run and its accounts. Out: a handler for each `op`; usage; and how to stop what is under way.

import { openBroker } from "../calls/broker.js";
import { fetchOverSocket } from "../calls/call_socket.js";
import { cancelRequest, isOwn } from "../calls/endpoint.js";
import { fetchWith } from "../calls/headers.js";
import { openEgress } from "../egress/egress.js";
import { openCalls, openToolCalls } from "./call_accounts.js";
import { openChildren } from "./children.js";
import { openTools } from "./tools.js";

/**
 * @typedef {import("./types.d.ts").Ending} Ending
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
  const egress = openEgress({ ledger: tree.ledger, gate: tree.gate, recorder, path: job.path, usage, onRootDenied });
  const calls = openCalls({ job, tree, recorder, egress, onAnswered });
  calls.refund(-(resumed?.rootCalls ?? 0));
  const { endpoint, headers, provider = null } = tree.hosting;
  // a gateway that asks for headers wants them with each request: a browser sends none with a WebSocket
  const isPlain = isOwn(endpoint) && Object.keys(headers ?? {}).length === 0;
  const fetchOwn = isPlain ? fetchOverSocket(endpoint) : fetchWith(headers ?? {});
  const broker = openBroker({
    endpoint,
    provider: provider && written ? postAfter(written, provider) : provider,
    witness: calls,
    fetcher: written === null ? fetchOwn : fetchAfter(written, fetchOwn),
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
 * Calls leave once their log is on disk; so those to a provider of the page.
 * @param {() => Promise<void>} written
 * @param {import("../wire/types.d.ts").PageProvider} provider
 * @returns {typeof provider}
 */
function postAfter(written, provider) {
  return {
    ...provider,
    async post(...request) {
      await written();
      return provider.post(...request);
    },
  };
}

/**
 * Calls leave once their log is on disk.
 * @param {() => Promise<void>} written
 * @param {typeof fetch} fetcher
 * @returns {typeof fetch}
 */
function fetchAfter(written, fetcher) {
  return async (...request) => {
    await written();
    return fetcher(...request);
  };
}
