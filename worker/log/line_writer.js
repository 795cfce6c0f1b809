// @ts-check
// Line writer: the lines of a log on their way to disk, all that wait in one transaction.
//
// In: lines, as they are recorded. Out: transactions, one after another; a promise that all lines so far are on disk.
// Calls in turn need one transaction each: the lines of a call's end wait for those of the next call's start, which leaves
// once both are on disk. So nothing leaves the page that depends on a line which is lost with the browser.

/**
 * Longest wait of a line for the next one, by the type of its event: an entry of the ledger can be recomputed; an answer
 * that is lost is asked for again, under the idempotency key of its call.
 * @type {Readonly<Record<string, number>>}
 */
const LINGER_MS = { egress: 250, call_finished: 20 };

/**
 * @param {(lines: string[], first: number) => Promise<void>} put writes lines, of which the first has the number `first`
 * @param {number} next number of the first line
 */
export function openLineWriter(put, next) {
  /** @type {string[]} */
  let waiting = [];
  let isDue = false;
  let last = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let linger = Infinity;

  const flush = () => {
    const lines = waiting;
    waiting = [];
    isDue = false;
    next += lines.length;
    return put(lines, next - lines.length);
  };
  const begin = () => {
    clearTimeout(timer);
    linger = Infinity;
    if (isDue || waiting.length === 0) return;
    isDue = true;
    last = last.then(flush);
    last.catch(() => {}); // `written` rejects with it
  };
  return {
    /**
     * @param {string} line
     * @param {string} type of its event
     */
    append(line, type) {
      waiting.push(line);
      const most = LINGER_MS[type] ?? 0;
      if (most === 0) return begin();
      if (isDue || most >= linger) return;
      clearTimeout(timer);
      linger = most;
      timer = setTimeout(begin, most);
    },
    /** Resolves when every line so far is on disk; rejects with the fault of the first that could not be written. */
    written() {
      begin();
      return last;
    },
  };
}
