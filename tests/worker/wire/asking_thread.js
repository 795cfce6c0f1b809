// A thread that asks through the waiting end of the channel, as a worker does, and posts the replies.
//
// In: messages {ask: [body, ...]}. Out: requests and acks of the channel, and for each body one message
// {type: "got", body, state, bytes, sha256, text}; `text` is left out for long replies.

import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { CHUNK, ERROR } from "../../../worker/wire/protocol.js";
import { interruptFlag, waitingEnd } from "../../../worker/wire/channel.js";

const SHOWN_BYTES = 200_000;
const { channel, interrupt, idleTimeoutMs } = workerData;
function post(message) {
  return parentPort.postMessage(message);
}
const end = waitingEnd({ channel, interrupt, epoch: 1, post, idleTimeoutMs });
const { clear } = interruptFlag(interrupt);

function ask(body) {
  const hash = createHash("sha256");
  let bytes = 0;
  let last = new Uint8Array(0);
  let state = end.request(body);
  for (; state === CHUNK; state = end.next()) {
    last = end.take();
    hash.update(last);
    bytes += last.length;
  }
  if (state <= ERROR) {
    last = end.take();
    hash.update(last);
    bytes += last.length;
  }
  clear();
  const text = bytes <= SHOWN_BYTES ? Buffer.from(last).toString() : undefined;
  post({ type: "got", body, state, bytes, sha256: hash.digest("hex"), text });
}

parentPort.on("message", ({ ask: bodies }) => bodies.forEach(ask));
