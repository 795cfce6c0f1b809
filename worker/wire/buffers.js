// @ts-check
// Buffers: memory that is no longer needed, given back at once; and parts as a whole.
//
// In: an ArrayBuffer. Out: the same, empty. A worker that runs Python allocates next to nothing in JavaScript, and so
// collects no garbage for minutes; a page collects it late. Transferred to a port that is closed, a buffer is dropped
// (`ArrayBuffer.transfer` leaves the browser's own hold of what it read).

const nowhere = closedPort();
const { apply } = Reflect;
const { postMessage } = nowhere;

function closedPort() {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}

/** @param {ArrayBuffer} buffer */
export function release(buffer) {
  if (buffer.byteLength > 0) apply(postMessage, nowhere, [null, [buffer]]);
}

/** @param {Array<ArrayLike<number>>} parts */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
