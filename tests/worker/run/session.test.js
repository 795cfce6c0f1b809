// Session: the worker that is kept between two questions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openSession } from "../../../worker/run/session.js";

function fakeWorker() {
  const worker = {
    ends: 0,
    listeners: { message: () => {}, lost: () => {} },
    listen: (/** @type {typeof worker.listeners} */ next) => void (worker.listeners = next),
    terminate: () => void (worker.ends += 1),
  };
  return worker;
}

/** @param {ReturnType<typeof fakeWorker>} worker */
function keeping(worker) {
  const session = openSession();
  session.keep(/** @type {any} */ (worker));
  return session;
}

test("the next question gets the worker, and the end of the session ends it", () => {
  const worker = fakeWorker();
  const session = keeping(worker);
  assert.equal(session.take(), worker);
  assert.equal(session.take(), null);
  session.keep(/** @type {any} */ (worker));
  session.close();
  assert.equal(worker.ends, 1);
});

test("a worker that is lost between two questions is ended, and the next one gets none", () => {
  const worker = fakeWorker();
  const session = keeping(worker);
  worker.listeners.lost();
  assert.equal(worker.ends, 1);
  assert.equal(session.take(), null);
});
