// @ts-check
// Gate: whether calls may leave.
//
// In: a request before it leaves. Out: null, or the reason of a refusal. The limit decides first, then the caller; a
// caller that fails, or answers anything else, has refused.

/**
 * @typedef {import("../wire/types.d.ts").RLMEgressRequest} EgressRequest
 * @typedef {ReturnType<typeof openGate>} Gate
 */

/**
 * @param {object} rules
 * @param {number | null} rules.maxContextChars characters of the context that may leave in all
 * @param {import("../wire/types.d.ts").OnEgress} rules.onEgress
 * @param {import("./allowed_models.js").AllowedModels} rules.allowedModels
 */
export function openGate({ maxContextChars, onEgress, allowedModels }) {
  return {
    /**
     * Why one of the calls may not be made at all, or null.
     * @param {Array<Pick<import("../wire/types.d.ts").HostCall, "model" | "pictures">>} calls
     * @param {{isOfCode: boolean}} about whether model code makes them
     */
    async refusal(calls, { isOfCode }) {
      const models = calls.map(({ model }) => model);
      const refused = await allowedModels.refusal(models);
      if (refused !== null) return refused;
      const withImages = calls.filter(({ pictures }) => pictures !== undefined).map(({ model }) => model);
      const blind = withImages.length === 0 ? null : await allowedModels.refusalOfImages(withImages);
      return blind ?? (isOfCode ? allowedModels.refusalToCode(models) : null);
    },
    /** Whether no other rule is set: every call to these models may leave. */
    isOpen: maxContextChars === null && !onEgress,
    /** Whether the caller decides on each request. */
    asks: Boolean(onEgress),
    /**
     * @param {EgressRequest} request
     * @param {number} spent characters of the context that left, each counted once for each destination
     * @param {number} [ofImages] characters that its images count for
     * @returns {Promise<string | null>}
     */
    async decide(request, spent, ofImages = 0) {
      const added = request.contextChars.added + ofImages;
      if (maxContextChars !== null && spent + added > maxContextChars)
        return beyondLimit(added, spent, { allowed: maxContextChars, ofImages });
      if (!onEgress) return null;
      try {
        return reasonIn(await untilAborted(onEgress(request), request.signal));
      } catch (error) {
        return request.signal.aborted
          ? "the run was stopped"
          : `onEgress failed: ${error instanceof Error ? error.message : error}`;
      }
    },
  };
}

/**
 * @param {number} added
 * @param {number} left
 * @param {{allowed: number, ofImages: number}} counted
 */
function beyondLimit(added, left, { allowed, ofImages }) {
  const images = ofImages > 0 ? ` (${ofImages} of them for images, by their estimated tokens)` : "";
  const excess = `${added} more characters of the context would leave${images}, and ${left} of ${allowed} have left`;
  return `context limit reached: ${excess}. Send less of it, or raise maxContextChars.`;
}

/**
 * @param {any} answer
 * @returns {string | null}
 */
function reasonIn(answer) {
  if (answer === "allow") return null;
  if (answer === "deny") return "onEgress said no";
  const reason = answer?.deny;
  if (typeof reason === "string" && reason !== "") return reason;
  return 'onEgress gave no answer: it must give "allow", "deny" or {deny: reason}';
}

/**
 * @param {unknown} answer or a promise of one
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>} rejects when the run is stopped first
 */
function untilAborted(answer, signal) {
  return new Promise((resolve, reject) => {
    const stopped = () => reject(signal.reason);
    if (signal.aborted) stopped();
    signal.addEventListener("abort", stopped, { once: true });
    Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", stopped));
  });
}
