// @ts-check
/**
 * Outbox: notices of one headless run on their way to Python. In: lines, one a notice. Out: the same in messages of many
 * lines, in their order, since a message between the browser and Python costs as much as a hundred lines. Nothing is
 * interpreted here.
 */

const WATCHED_MS = 50;
const UNWATCHED_MS = 500;
/** Characters at which a message leaves at once. */
const MESSAGE_CHARS = 1 << 20;

/**
 * @param {(text: string) => Promise<void>} send takes one message, its lines joined by line feeds
 * @param {{isWatched: boolean}} state with a reader, the first line after a pause leaves at once
 */
export function openOutbox(send, { isWatched }) {
  /** @type {string[]} */
  let held = [];
  let chars = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let last = Promise.resolve();

  const flush = () => {
    if (held.length === 0) return;
    const text = held.join("\n");
    [held, chars] = [[], 0];
    last = send(text);
  };
  const tick = () => {
    const isBusy = held.length > 0;
    flush();
    timer = isBusy ? setTimeout(tick, isWatched ? WATCHED_MS : UNWATCHED_MS) : undefined;
  };
  return {
    /** @param {string} line without line feeds */
    add(line) {
      held.push(line);
      chars += line.length;
      if (chars > MESSAGE_CHARS) flush();
      if (timer !== undefined) return;
      if (isWatched) flush();
      timer = setTimeout(tick, isWatched ? WATCHED_MS : UNWATCHED_MS);
    },
    isWatched: () => isWatched,
    /** A reader came. */
    watch() {
      isWatched = true;
      clearTimeout(timer);
      tick();
    },
    /** The lines that wait; they are not sent any more. */
    take() {
      const text = held.join("\n");
      [held, chars] = [[], 0];
      return text;
    },
    /** Send the rest; resolves when Python has taken all of it. */
    async close() {
      clearTimeout(timer);
      flush();
      await last;
    },
  };
}
