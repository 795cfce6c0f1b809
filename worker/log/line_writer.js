// @ts-check
// Line writer: the lines of a log on their way to disk, all that wait in one transaction.
//
// In: lines, as they are recorded. Out: transactions, one after another; a promise that all lines so far are on disk. A
// line that is no answer and leaves nothing may wait for the next one: a call then needs two transactions in place of three.

/** Longest wait of a line that may wait. */
const LINGER_MS = 250;
/** Types of events that can be recomputed from those before and after them. */
const MAY_WAIT = ["egress"];

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

  const flush = () => {
    const lines = waiting;
    waiting = [];
    isDue = false;
    next += lines.length;
    return put(lines, next - lines.length);
  };
  const begin = () => {
    clearTimeout(timer);
    timer = undefined;
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
      if (!MAY_WAIT.includes(type)) begin();
      else timer ??= setTimeout(begin, LINGER_MS);
    },
    /** Resolves when every line so far is on disk; rejects with the fault of the first that could not be written. */
    written() {
      begin();
      return last;
    },
  };
}
