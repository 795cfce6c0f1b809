// @ts-check
// Idle timeout: gives up a request whose connection is silent for too long.
//
// In: each sign of life. Out: a signal, aborted with a ProviderError when none came in time. A server of ours ends its
// calls after ten minutes itself: this is for connections that are dead and do not say so.

import { providerError } from "../wire/errors.js";

const IDLE_MS = 660_000;

/**
 * @param {number} [limitMs]
 * @param {{subject: string, type: string}} [silent] who is silent, and the type of the fault
 */
export function openIdleTimeout(
  limitMs = IDLE_MS,
  { subject, type } = { subject: "the server", type: "server-silent" },
) {
  const controller = new AbortController();
  const message = `${subject} said nothing for ${limitMs / 1_000} s, and is given up. Ask again.`;
  /** Time of the last sign of life since the timer was set. @type {number | null} */
  let heardAt = null;
  const expire = () => {
    if (heardAt === null) return controller.abort(providerError(message, { type, retryable: true }));
    const left = heardAt + limitMs - performance.now();
    heardAt = null;
    timer = setTimeout(expire, Math.max(0, left));
  };
  let timer = setTimeout(expire, limitMs);
  return {
    signal: controller.signal,
    /** A sign of life. */
    reset: () => void (heardAt = performance.now()),
    clear: () => clearTimeout(timer),
  };
}
