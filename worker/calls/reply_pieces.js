// @ts-check
// Reply pieces: a reply of the root model while it is streamed, for whoever watches.
//
// In: its deltas, however many and small. Out: the same text in at most one piece every EVERY_MS, so that a page which
// shows each of them keeps its pace.

const EVERY_MS = 50;

/**
 * @param {(at: number, text: string) => void} onPiece takes a piece, and how many characters (UTF-16 units) precede it
 */
export function openReplyPieces(onPiece) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let at = 0;
  let held = "";

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (held === "") return;
    const text = held;
    held = "";
    onPiece(at, text);
    at += text.length;
  };
  const tick = () => {
    const isBusy = held !== "";
    flush();
    if (isBusy) timer = setTimeout(tick, EVERY_MS);
  };
  return {
    /**
     * The next delta; the first one is passed on at once.
     * @param {string} text
     */
    add(text) {
      held += text;
      if (timer !== undefined) return;
      flush();
      timer = setTimeout(tick, EVERY_MS);
    },
    /** The reply begins anew. */
    restart() {
      clearTimeout(timer);
      timer = undefined;
      [at, held] = [0, ""];
    },
    /** The reply is over: pass on the rest. */
    end: flush,
  };
}
