// @ts-check
// Silence: gives a request up when nothing comes for too long.
//
// In: word that something came. Out: a signal, aborted with a ProviderError when nothing did. A server of ours ends its
// calls by itself after ten minutes: this is for connections that are dead and do not say so.

import { providerError } from "../wire/errors.js";

const SILENCE_MS = 660_000;

export function openSilence(limitMs = SILENCE_MS) {
  const controller = new AbortController();
  const message = `the server said nothing for ${limitMs / 1_000} s, and is given up. Ask again.`;
  const end = () => controller.abort(providerError(message, { type: "server-silent", retryable: true }));
  let timer = setTimeout(end, limitMs);
  return {
    signal: controller.signal,
    heard() {
      clearTimeout(timer);
      timer = setTimeout(end, limitMs);
    },
    end: () => clearTimeout(timer),
  };
}
