// @ts-check
/**
 * Line of a notebook's widget to its kernel. In: requests as JSON, in parts that a notebook server passes. Out: replies with
 * their bytes, and the kernel's commands. A kernel that is at work on a cell may answer late; it is waited for.
 */

/**
 * The part of anywidget's model that is used here.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(content: unknown) => void} send
 * @property {(event: string, listener: (content: any, buffers: DataView[]) => void) => void} on
 * @property {(event: string, listener: (content: any, buffers: DataView[]) => void) => void} off
 */
/** @typedef {{value: any, bytes: Uint8Array<ArrayBuffer>}} Reply */
/** @typedef {ReturnType<typeof openLine>} Line */

/** Characters of a part: a Jupyter server takes messages of 10 MB at most. */
const PART_CHARS = 1 << 19;
const LATE_MS = 4_000;
const CLOSED = "the widget was closed.";

/**
 * @param {Model} model
 * @param {{command: (content: any) => void, late: (isLate: boolean) => void}} listeners
 */
export function openLine(model, { command, late }) {
  const page = Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("");
  /** @type {Map<number, {resolve: (reply: Reply) => void, reject: (fault: Error) => void}>} */
  const waiting = new Map();
  let last = 0;

  /** @type {(content: any, buffers: DataView[]) => void} */
  const onMessage = (content, buffers) => {
    if (content?.page !== undefined && content.page !== page) return; // another tab's
    if (content?.command !== undefined) return command(content);
    const request = waiting.get(content?.number);
    waiting.delete(content?.number);
    if (content?.error !== undefined) request?.reject(new Error(content.error));
    else request?.resolve({ value: content.value, bytes: bytesOf(buffers[0]) });
  };
  model.on("msg:custom", onMessage);

  return {
    /**
     * @param {string} kind
     * @param {unknown} body JSON
     * @returns {Promise<Reply>} rejects with the kernel's error, or as the line is closed
     */
    async request(kind, body) {
      const number = ++last;
      /** @type {Promise<Reply>} */
      const replied = new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
      const text = JSON.stringify(body);
      for (let at = 0; at === 0 || at < text.length; at += PART_CHARS) {
        const isLast = at + PART_CHARS >= text.length;
        model.send({ page, number, kind, text: text.slice(at, at + PART_CHARS), last: isLast });
      }
      return replied;
    },
    /**
     * `request`, for an answer that the kernel has at once: `late` is told where it has not.
     * @param {string} kind
     * @param {unknown} body
     */
    async prompt(kind, body) {
      const timer = setTimeout(late, LATE_MS, true);
      try {
        return await this.request(kind, body);
      } finally {
        clearTimeout(timer);
        late(false);
      }
    },
    close() {
      model.off("msg:custom", onMessage);
      for (const { reject } of waiting.values()) reject(new Error(CLOSED));
      waiting.clear();
    },
  };
}

/** @param {DataView | undefined} buffer */
function bytesOf(buffer) {
  if (buffer === undefined) return new Uint8Array();
  return new Uint8Array(/** @type {ArrayBuffer} */ (buffer.buffer), buffer.byteOffset, buffer.byteLength);
}
