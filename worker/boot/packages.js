// @ts-check
// Packages: the wheels that a worker's code imports, fetched when they are asked for.
//
// In: the body of a `package` request. Out: the wheel's bytes, whose hash is that of the lock file. The worker can name
// what the lock file holds, and nothing else. It is no part of the log: a replay fetches the same bytes by their hash.

import { fetchAsset } from "./asset_source.js";
import { configError, protocolError } from "../wire/errors.js";
import { PACKAGE_SCHEMA } from "../wire/protocol.js";
import { mismatch } from "../wire/schema.js";
import { keptPromise } from "./kept_promise.js";

/**
 * @typedef {import("../wire/types.d.ts").Handler} Handler
 * @typedef {import("../wire/protocol.js").JobPackage} JobPackage
 * @typedef {{file_name: string, sha256: string}} LockedPackage
 */

const FOLDER = "packages/"; // in the assets: what the user added
const LOCK = "pyodide-lock.json";
const MAX_REQUEST_CHARS = 200; // of a request for a package

/**
 * @param {{lock: string, folder: string}} assets
 * @param {JobPackage[]} chosen those of the run beside the built-in ones
 * @returns {Handler}
 */
export function packageHandler({ lock, folder }, chosen) {
  return async (body, answer) => {
    /** @type {Record<string, LockedPackage>} */
    const packages = JSON.parse(lock).packages;
    const name = requestedName(body);
    const added = chosen.find((each) => each.name === name);
    const found = Object.hasOwn(packages, name) ? packages[name] : added;
    if (found === undefined) throw protocolError(`no package ${name} in the lock file.`);
    const from = found === added ? new URL(FOLDER, folder) : folder;
    answer.write(await wheelAt(new URL(found.file_name, from).href, found.sha256));
    answer.end();
  };
}

/**
 * The packages of the option `packages`, and those that they need, from the lock file beside the assets. Built-in ones are
 * left out: they are there anyway.
 * @param {string[]} names
 * @param {{lock: string, folder: string}} assets
 * @returns {Promise<JobPackage[]>}
 */
export async function chosenPackages(names, { lock, folder }) {
  const builtIn = JSON.parse(lock).packages;
  const wanted = names.map(canonical).filter((name) => !Object.hasOwn(builtIn, name));
  if (wanted.length === 0) return [];
  const added = await addedPackages(new URL(FOLDER, folder));
  /** @type {Map<string, JobPackage>} */
  const chosen = new Map();
  for (const name of wanted) {
    if (chosen.has(name) || Object.hasOwn(builtIn, name)) continue;
    if (!Object.hasOwn(added, name)) throw configError(notAdded(name, Object.keys(added)));
    const { version, imports, depends, file_name, sha256 } = added[name];
    chosen.set(name, { name, version, imports, depends, file_name, sha256 });
    wanted.push(...depends.map(canonical));
  }
  return [...chosen.values()];
}

/**
 * @param {URL} folder
 * @returns {Promise<Record<string, JobPackage>>}
 */
async function addedPackages(folder) {
  const response = await fetchAsset(new URL(LOCK, folder), { cache: "no-cache" });
  if (response.status === 404) return {};
  if (!response.ok) throw configError(`${folder}${LOCK} answered ${response.status}. Check the server.`);
  return (await response.json()).packages;
}

function notAdded(/** @type {string} */ name, /** @type {string[]} */ added) {
  const there = added.length > 0 ? `Added are ${added.join(", ")}.` : "None was added.";
  return `no package ${name} beside the server: \`pyodide-rlm packages add ${name}\` adds it. ${there}`;
}

/** A name as lock files spell it. */
function canonical(/** @type {string} */ name) {
  return name
    .trim()
    .toLowerCase()
    .replace(/[-_.]+/g, "-");
}

/** @type {Map<string, Promise<Uint8Array>>} by URL: a wheel is fetched once a page */
const wheels = new Map();

/**
 * @param {string} url
 * @param {string} sha256
 */
export function wheelAt(url, sha256) {
  return keptPromise(wheels, url, () => fetchedWheel(url, sha256));
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
  const response = await fetchAsset(url);
  if (!response.ok) throw configError(`${url} answered ${response.status}. Reload the page, or build the assets.`);
  const data = await response.arrayBuffer();
  if (globalThis.crypto.subtle && (await hashOf(data)) !== sha256)
    throw configError(`${url} is not the file that the lock file names. Build the assets again.`);
  return new Uint8Array(data);
}

async function hashOf(/** @type {ArrayBuffer} */ data) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
