// @ts-check
// Line writer: the lines of a log on their way to disk, all that wait in one transaction.
//
// In: lines, as they are recorded. Out: transactions, one after another; a promise that all lines so far are on disk.
// Calls in turn need one transaction each: the lines of a call's end wait for those of the next call's start, which leaves
// once both are on disk. So nothing leaves the page that depends on a line which is lost with the browser. Calls whose
// replies the server keeps need one transaction for all of a tenth of a second.

/**
 * Longest wait of a line for the next one, by the type of its event: an entry of the ledger can be recomputed; an answer
 * that is lost is asked for again, under the idempotency key of its call; a block whose end is lost is run again. The next
 * iteration's call follows the end of a block at once.
 * @type {Readonly<Record<string, number>>}
 */
const LINGER_MS = { egress: 250, call_finished: 20, block_finished: 20, iteration_finished: 20, iteration_started: 20 };
/**
 * The same of calls of the root run that are made again where their lines are lost, and answered from the server's store.
 * @type {typeof LINGER_MS}
 */
const REPEATABLE_MS = { egress: 250, call_started: 100, call_finished: 100 };
/** Age of a line that is not on disk from which on nothing more is to depend on it: the store is full, or slow. */
const MOST_BEHIND_MS = 500;
/** Neither lines that wait, nor lines under way. */
const NONE = { since: Infinity, areRepeatable: true };

/**
 * @param {(lines: string[], first: number) => Promise<void>} put writes lines, of which the first has the number `first`
 * @param {number} next number of the first line
 * @param {() => number} [now] milliseconds, monotonic
 */
export function openLineWriter(put, next, now = () => performance.now()) {
  /** @type {string[]} */
  let waiting = [];
  let isDue = false;
  let last = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let linger = Infinity;
  /** When the first of the lines came that wait, and of those under way, and whether all are of calls that may be repeated. */
  let ofWaiting = NONE;
  let ofUnderWay = NONE;

  const flush = async () => {
    const lines = waiting;
    waiting = [];
    isDue = false;
    if (lines.length === 0) return;
    next += lines.length;
    ofUnderWay = ofWaiting;
    ofWaiting = NONE;
    await put(lines, next - lines.length);
    ofUnderWay = NONE;
  };
  const begin = () => {
    clearTimeout(timer);
    linger = Infinity;
    if (isDue || waiting.length === 0) return;
    isDue = true;
    last = last.then(flush);
    last.catch(() => {}); // `written` rejects with it
  };
  const written = () => {
    begin();
    return last;
  };
  const isYoung = () => now() - Math.min(ofWaiting.since, ofUnderWay.since) < MOST_BEHIND_MS;
  const isAbreast = () => ofWaiting.areRepeatable && ofUnderWay.areRepeatable && isYoung();

  return {
    /**
     * @param {string} line
     * @param {string} type of its event
     * @param {boolean} [isRepeatable] whether a call that is lost is answered from the server's store
     */
    append(line, type, isRepeatable = false) {
      waiting.push(line);
      const repeatable = isRepeatable ? REPEATABLE_MS[type] : undefined;
      const most = repeatable ?? LINGER_MS[type] ?? 0;
      const { since, areRepeatable } = ofWaiting;
      ofWaiting = { since: Math.min(since, now()), areRepeatable: areRepeatable && repeatable !== undefined };
      if (most === 0) return begin();
      if (isDue || most >= linger) return;
      clearTimeout(timer);
      linger = most;
      timer = setTimeout(begin, most);
    },
    /** Resolves when every line so far is on disk; rejects with the fault of the first that could not be written. */
    written,
    /** The page closes: no turn of it comes after the transaction under way. */
    hurry() {
      last = Promise.all([last, flush()]).then(() => {});
      last.catch(() => {}); // `written` rejects with it
    },
    /** Whether a call may leave now that is made again if its line is lost: all lines before it are kept, or are such too. */
    isAbreast,
    /** What such a call waits for, where it may not: the lines under way, and those that wait unless all are such. */
    abreast() {
      if (isAbreast()) return null;
      return ofWaiting.areRepeatable && isYoung() ? last : written();
    },
  };
}
