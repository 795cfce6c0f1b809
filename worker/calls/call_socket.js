// @ts-check
// Call socket: one WebSocket for the model calls of a page to its own server, in place of a request each.
//
// In: requests as `fetch` takes them. Out: their responses. The messages are those of server/rlm_server/http/call_socket.py.
// A browser opens six connections to an origin; over this one a page has any number of calls under way. Where it does not
// open, or while it does, each call is a request of its own. A call that a broken connection left without any answer is
// sent again that way, under its idempotency key: the server answers a known key from its store.

/**
 * The part of a WebSocket that is used.
 * @typedef {Pick<WebSocket, "binaryType" | "bufferedAmount" | "close" | "send" | "onopen" | "onmessage" | "onclose">} Socket
 */

/**
 * @typedef {ReturnType<typeof openStream>} Stream
 * @typedef {(kind: number, ...parts: Uint8Array[]) => void} Send
 */

const [HEAD, BODY, CREDIT, CANCEL, LAST] = [1, 2, 3, 4, 0x80];
const PREFIX_BYTES = 5;
/** Most bytes of a body in one message. */
const CHUNK_BYTES = 1 << 20;
/** Bytes of a body that may be under way before the other side gives credit for more. */
const WINDOW_BYTES = 2 << 20;
const MOST_STREAMS = 1_000;
const REOPENING_MS = 5_000;
/** A connection that ends sooner was cut by something on its way; after CUTS of them in turn it is given up. */
const SHORT_MS = 10_000;
const CUTS = 3;
/** While calls are under way the server is heard from every 10 s; one that is not is gone, whatever the browser knows. */
const SILENT_MS = 35_000;
/** A connection without calls is closed, so that it keeps no server and no proxy busy. */
const IDLE_MS = 30_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** The connections of this page, by endpoint. @type {Map<string, ReturnType<typeof openCallSocket>>} */
const sockets = new Map();

/**
 * A fetch for the endpoint of this page's own server.
 * @param {string} endpoint
 * @param {typeof fetch} [fetcher] used while there is no connection
 * @returns {typeof fetch}
 */
export function fetchOverSocket(endpoint, fetcher = (...request) => fetch(...request)) {
  if (typeof WebSocket !== "function") return fetcher;
  const socket = sockets.get(endpoint) ?? openCallSocket({ url: addressOf(endpoint) });
  sockets.set(endpoint, socket);
  return async (url, options = {}) => {
    const path = String(url).slice(endpoint.length);
    return (await socket.request(path, options)) ?? fetcher(url, options);
  };
}

/**
 * Whether a connection to it has been open: it is a server of this project, which keeps replies.
 * @param {string} endpoint
 */
export function wasConnected(endpoint) {
  return sockets.get(endpoint)?.wasOpen() ?? false;
}

/** @param {string} endpoint */
function addressOf(endpoint) {
  return new URL(`${endpoint}/socket`, location.href).href.replace(/^http/, "ws");
}

/**
 * @param {object} options
 * @param {string} options.url
 * @param {(url: string) => Socket} [options.open]
 * @param {() => number} [options.now] milliseconds, monotonic
 * @param {number} [options.idleMs]
 * @param {number} [options.silentMs]
 */
export function openCallSocket({
  url,
  open = (url) => new WebSocket(url),
  now = () => performance.now(),
  idleMs = IDLE_MS,
  silentMs = SILENT_MS,
}) {
  /** @type {Map<number, Stream>} */
  const streams = new Map();
  /** Whether one has ever been open, and how many in turn were cut. */
  const history = { wasOpen: false, cuts: 0, isGivenUp: false, notBefore: 0 };
  /** @type {{socket: Socket, openedAt: number | null, isHeard: boolean, isClosed: boolean} | null} */
  let connection = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let idle;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let listening;
  let heardAt = 0;
  let lastNumber = 0;

  const isSilent = (/** @type {number} */ ms) => streams.size > 0 && now() - heardAt > ms;
  /** Some proxies let a connection open, and pass none of its messages; its server ends it after 40 s. */
  const isMute = (/** @type {{isHeard: boolean}} */ { isHeard }) => !isHeard && isSilent(silentMs / 2);

  const connect = () => {
    if (connection !== null || history.isGivenUp || now() < history.notBefore) return;
    const socket = opened(open, url);
    if (socket === null) return void (history.isGivenUp = true); // the page's policy forbids it
    const current = { socket, openedAt: /** @type {number | null} */ (null), isHeard: false, isClosed: false };
    connection = current;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      current.openedAt = heardAt = now();
      history.wasOpen = true;
      listening = setInterval(() => {
        if (isSilent(silentMs) || isMute(current)) ended(current);
      }, silentMs / 4);
      rest();
    };
    socket.onmessage = ({ data }) => {
      current.isHeard = true;
      receive(new Uint8Array(data));
    };
    socket.onclose = () => ended(current);
  };

  /** @param {NonNullable<typeof connection>} over */
  const ended = (over) => {
    if (over.isClosed) return;
    over.isClosed = true;
    over.socket.close();
    clearTimeout(idle);
    clearInterval(listening);
    connection = null;
    const isCut = over.openedAt === null || now() - over.openedAt < SHORT_MS;
    history.cuts = isCut && streams.size > 0 ? history.cuts + 1 : 0;
    history.isGivenUp = !history.wasOpen || isMute(over) || history.cuts >= CUTS;
    history.notBefore = over.openedAt === null ? now() + REOPENING_MS : 0;
    const left = [...streams.values()];
    streams.clear();
    for (const stream of left) stream.lose();
  };

  /** Close the connection when it has had no call for a while. */
  const rest = () => {
    clearTimeout(idle);
    const current = connection;
    if (streams.size === 0 && current !== null) idle = setTimeout(() => ended(current), idleMs);
  };

  /** @param {Uint8Array<ArrayBuffer>} message */
  const receive = (message) => {
    heardAt = now();
    const view = new DataView(message.buffer);
    const stream = streams.get(view.getUint32(1));
    stream?.take(message[0] & ~LAST, message.subarray(PREFIX_BYTES), (message[0] & LAST) !== 0);
  };

  // a connection does not notice for minutes that there is no network any more
  globalThis.addEventListener?.("offline", () => connection !== null && ended(connection));

  return {
    /**
     * @param {string} path the rest of the URL after the endpoint
     * @param {RequestInit} options
     * @returns {Promise<Response | null>} null where the request is to be sent another way
     */
    async request(path, options) {
      // one that is to outlive the page cannot go over the page's connection
      if (options.keepalive) return null;
      options.signal?.throwIfAborted();
      connect();
      if (connection === null || connection.openedAt === null || streams.size >= MOST_STREAMS) return null;
      clearTimeout(idle);
      const { socket } = connection;
      if (streams.size === 0) heardAt = now();
      lastNumber = (lastNumber + 1) % 2 ** 32;
      const number = lastNumber;
      const stream = openStream({
        send: (kind, ...parts) => socket.send(messageOf(kind, number, parts)),
        onEnd: () => {
          streams.delete(number);
          rest();
        },
      });
      streams.set(number, stream);
      return stream.request(path, options);
    },
    wasOpen: () => history.wasOpen,
    /** For tests: end the connection as something on its way would. */
    cut: () => connection?.socket.close(),
  };
}

/**
 * One request and its response.
 * @param {object} connection
 * @param {Send} connection.send
 * @param {() => void} connection.onEnd
 */
function openStream({ send, onEnd }) {
  let isOver = false;
  let window = WINDOW_BYTES;
  /** @type {() => void} */
  let goOn = () => {};
  /** @type {AbortSignal | null} */
  let signal = null;
  let mayRepeat = false;
  /** @type {ReturnType<typeof openBody> | null} */
  let body = null;
  /** @type {(response: Response | null) => void} */
  let resolve;
  /** @type {(reason: unknown) => void} */
  let reject;
  /** @type {Promise<Response | null>} */
  const answer = new Promise((...both) => void ([resolve, reject] = both));

  const end = () => {
    if (isOver) return;
    isOver = true;
    goOn();
    signal?.removeEventListener("abort", abort);
    onEnd();
  };
  /** @param {unknown} reason */
  const fail = (reason) => {
    end();
    body?.fail(reason);
    reject(reason);
  };
  const abort = () => {
    if (isOver) return;
    send(CANCEL);
    fail(signal?.reason);
  };
  const leave = () => {
    if (!isOver) send(CANCEL);
    end();
  };
  /** The connection is gone: an answer that has begun is cut off, none is asked for another way. */
  const lose = () => {
    const fault = new TypeError("the connection to the server was closed");
    if (body !== null || !mayRepeat) return fail(fault);
    end();
    resolve(null);
  };

  /** @param {Uint8Array} bytes the whole body of the request */
  const upload = async (bytes) => {
    for (let at = 0; at < bytes.length && !isOver; ) {
      if (window === 0) await new Promise((resolve) => void (goOn = () => resolve(null)));
      const part = bytes.subarray(at, at + Math.min(CHUNK_BYTES, window));
      if (isOver || part.length === 0) continue;
      at += part.length;
      window -= part.length;
      send(at === bytes.length ? BODY | LAST : BODY, part);
    }
  };

  return {
    /**
     * @param {string} path
     * @param {RequestInit} options
     */
    request(path, options) {
      const bytes = options.body instanceof Uint8Array ? options.body : encoder.encode(String(options.body ?? ""));
      const headers = plainHeaders(options.headers);
      mayRepeat = "idempotency-key" in headers;
      signal = options.signal ?? null;
      signal?.addEventListener("abort", abort);
      const first = bytes.subarray(0, CHUNK_BYTES);
      window -= first.length;
      const isWhole = first.length === bytes.length;
      send(isWhole ? HEAD | LAST : HEAD, ...headOf({ path, headers }), first);
      if (!isWhole) void upload(bytes.subarray(first.length));
      return answer;
    },
    /**
     * A message of the server.
     * @param {number} kind
     * @param {Uint8Array<ArrayBuffer>} payload
     * @param {boolean} isLast
     */
    take(kind, payload, isLast) {
      if (kind === CREDIT) {
        window += numberIn(payload);
        goOn();
      } else if (kind === CANCEL) {
        mayRepeat ||= body === null; // it was not begun
        lose();
      } else {
        const { init, bytes } = kind === HEAD ? readHead(payload) : { init: null, bytes: payload };
        if (init !== null && isLast) resolve(wholeResponse(bytes, init));
        else if (init !== null) {
          body = openBody({ leave, credit: (size) => send(CREDIT, uint32(size)) });
          body.add(bytes, false);
          resolve(new Response(body.stream, init));
        } else body?.add(bytes, isLast);
        if (isLast) end();
      }
    },
    lose,
  };
}

/**
 * The body of a response that comes in pieces; the server gets credit for those that were read.
 * @param {object} stream
 * @param {() => void} stream.leave
 * @param {(bytes: number) => void} stream.credit
 */
function openBody({ leave, credit }) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let isWhole = false;
  let read = 0;
  /** @type {unknown} */
  let fault = null;
  /** @type {() => void} */
  let arrived = () => {};
  /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */
  const stream = new ReadableStream(
    {
      async pull(controller) {
        while (parts.length === 0 && !isWhole && fault === null)
          await new Promise((resolve) => void (arrived = () => resolve(null)));
        const part = parts.shift();
        if (part !== undefined) {
          controller.enqueue(/** @type {Uint8Array<ArrayBuffer>} */ (part));
          read += part.length;
          if (isWhole || read < WINDOW_BYTES / 2) return;
          credit(read);
          read = 0;
        } else if (fault === null) controller.close();
        else controller.error(fault);
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
  return {
    stream,
    /**
     * @param {Uint8Array} bytes
     * @param {boolean} isLast
     */
    add(bytes, isLast) {
      if (bytes.length > 0) parts.push(bytes);
      isWhole = isLast;
      arrived();
    },
    /** @param {unknown} reason */
    fail(reason) {
      if (isWhole) return;
      fault = reason; // after the parts that have come: answers in them are paid for
      arrived();
    },
  };
}

/**
 * @param {(url: string) => Socket} open
 * @param {string} url
 * @returns {Socket | null}
 */
function opened(open, url) {
  try {
    return open(url);
  } catch (fault) {
    if (fault instanceof DOMException) return null;
    throw fault;
  }
}

/**
 * @param {number} kind
 * @param {number} number
 * @param {Uint8Array[]} parts
 */
function messageOf(kind, number, parts) {
  const message = new Uint8Array(PREFIX_BYTES + parts.reduce((size, part) => size + part.length, 0));
  const view = new DataView(message.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, number);
  let at = PREFIX_BYTES;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

/** @param {object} head */
function headOf(head) {
  const json = encoder.encode(JSON.stringify(head));
  return [uint32(json.length), json];
}

/**
 * A response that came in one message. The text of JSON is decoded here: a stream of the browser's takes two more tasks.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {{status: number, headers: Record<string, string>}} init
 */
function wholeResponse(bytes, init) {
  const response = new Response(bytes, init);
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return isJson ? Object.assign(response, { text: async () => decoder.decode(bytes) }) : response;
}

/**
 * Headers with names in lower case.
 * @param {HeadersInit} [headers]
 * @returns {Record<string, string>}
 */
function plainHeaders(headers = {}) {
  if (headers instanceof Headers || Array.isArray(headers)) return Object.fromEntries(new Headers(headers));
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** @param {Uint8Array<ArrayBuffer>} payload */
function readHead(payload) {
  const size = numberIn(payload);
  const { status, headers } = JSON.parse(decoder.decode(payload.subarray(4, 4 + size)));
  return { init: { status, headers }, bytes: payload.subarray(4 + size) };
}

/** @param {number} value */
function uint32(value) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** @param {Uint8Array} bytes */
function numberIn(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}
