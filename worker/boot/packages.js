// @ts-check
// Packages: the wheels that a worker's code imports, fetched when they are asked for.
//
// In: the body of a `package` request. Out: the wheel's bytes, whose hash is that of the lock file. The worker can name
// what the lock file holds, and nothing else. It is no part of the log: a replay fetches the same bytes by their hash.

import { configError, protocolError } from "../wire/errors.js";
import { PACKAGE_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";

/**
 * @typedef {import("../wire/channel.js").Handler} Handler
 * @typedef {{file_name: string, sha256: string}} LockedPackage
 */

const MAX_REQUEST_CHARS = 200; // of a request for a package

/**
 * @param {{lock: string, folder: string}} assets
 * @returns {Handler}
 */
export function packageHandler({ lock, folder }) {
  return async (body, answer) => {
    /** @type {Record<string, LockedPackage>} */
    const packages = JSON.parse(lock).packages;
    const name = requestedName(body);
    if (!Object.hasOwn(packages, name)) throw protocolError(`no package ${name} in the lock file.`);
    answer.write(await wheelAt(new URL(packages[name].file_name, folder).href, packages[name].sha256));
    answer.end();
  };
}

/** @type {Map<string, Promise<Uint8Array>>} by URL: a wheel is fetched once a page */
const wheels = new Map();

/**
 * @param {string} url
 * @param {string} sha256
 */
function wheelAt(url, sha256) {
  const known = wheels.get(url);
  if (known) return known;
  const wheel = fetchedWheel(url, sha256).catch((/** @type {unknown} */ error) => {
    wheels.delete(url);
    throw error;
  });
  wheels.set(url, wheel);
  return wheel;
}

/**
 * `handler`, with requests for packages answered by `packages`: they are short, and no part of the log.
 * @param {Handler} packages
 * @param {Handler} handler
 * @returns {Handler}
 */
export function withPackages(packages, handler) {
  return (body, answer, data) => {
    const isPackage = body.length < MAX_REQUEST_CHARS && Object(JSON.parse(body)).op === "package";
    return isPackage ? packages(body, answer, data) : handler(body, answer, data);
  };
}

function requestedName(/** @type {string} */ body) {
  const value = JSON.parse(body);
  const wrong = mismatch(PACKAGE_SCHEMA, value, "request");
  if (wrong !== null) throw protocolError(`${wrong}.`);
  return String(value.name);
}

/**
 * @param {string} url
 * @param {string} sha256
 */
async function fetchedWheel(url, sha256) {
  const response = await fetch(url);
  if (!response.ok) throw configError(`${url} answered ${response.status}. Build the assets, or check the server.`);
  const data = await response.arrayBuffer();
  if (globalThis.crypto.subtle && (await hashOf(data)) !== sha256)
    throw configError(`${url} is not the file that the lock file names. Build the assets again.`);
  return new Uint8Array(data);
}

async function hashOf(/** @type {ArrayBuffer} */ data) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
