// @ts-check
/**
 * Files of the kernel for a notebook's widget: the context, a log, and the assets that workers boot from, which this browser
 * keeps. In: the line to the kernel. Out: files and responses. Nothing is fetched from any server.
 */

import { provideAssets } from "/rlm/rlm.js";

/** @typedef {import("./widget_line.js").Line} Line */

const CACHE = "pyodide-rlm assets";
const CACHED = "https://assets.invalid/";
const HASHED = /\.[0-9a-f]{12}\./;
/** @type {Map<string, Set<Line>>} by build: open lines to kernels that have it */
const lines = new Map();

/**
 * Let workers boot from the kernel's assets of this build, for as long as one of its widgets is open.
 * @param {string} build
 * @param {Line} line
 * @returns {{base: string, close: () => void}} the value of the option `assets`
 */
export function openAssets(build, line) {
  const base = `kernel:///${build}/`;
  const open = lines.get(build) ?? new Set();
  lines.set(build, open.add(line));
  provideAssets(base, (path) => assetOf(build, path));
  return { base, close: () => void open.delete(line) };
}

/**
 * @param {string} build
 * @param {string} path
 * @returns {Promise<Response>}
 */
async function assetOf(build, path) {
  const cache = await caches.open(CACHE).catch(() => null); // a page of plain http has no cache
  const kept = HASHED.test(path) ? await cache?.match(CACHED + path) : undefined;
  if (kept) return kept;
  const line = [...(lines.get(build) ?? [])].at(-1);
  if (line === undefined) throw new TypeError("the widget that brings it was closed");
  const whole = await bytesFrom(line, { what: "asset", path });
  if (whole === null) return new Response(null, { status: 404 });
  const { parts, isPacked } = whole;
  const packed = new Blob(parts);
  const stream = isPacked ? packed.stream().pipeThrough(new DecompressionStream("gzip")) : packed.stream();
  const data = await new Response(stream).blob();
  if (path === "manifest.json") await forgetOthers(cache, await data.text());
  else if (HASHED.test(path)) await cache?.put(CACHED + path, new Response(data)).catch(() => {}); // then it comes again
  return new Response(data, { headers: { "Content-Type": typeOf(path) } });
}

/** @param {string} path */
function typeOf(path) {
  return path.endsWith(".json") ? "application/json" : "application/octet-stream";
}

/**
 * Drop files that the build of this manifest does not have: the cache holds one build.
 * @param {Cache | null} cache
 * @param {string} manifest
 */
async function forgetOthers(cache, manifest) {
  /** @type {{path: string}[]} */
  const files = Object.values(JSON.parse(manifest).files);
  const known = new Set(files.map(({ path }) => CACHED + path));
  const others = ((await cache?.keys()) ?? []).filter(({ url }) => !known.has(url));
  await Promise.all(others.map((request) => cache?.delete(request)));
}

/**
 * A file of the context, or the log of the run.
 * @param {Line} line
 * @param {{name: string}} file
 * @param {{what: "context", index: number} | {what: "log"}} place
 */
export async function fileFrom(line, { name }, place) {
  const whole = await bytesFrom(line, place);
  return new File(whole?.parts ?? [], name);
}

/**
 * The parts of a file, one request each; null: there is none.
 * @param {Line} line
 * @param {Record<string, unknown>} place
 */
async function bytesFrom(line, place) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  for (let offset = 0; ; ) {
    const { value, bytes } = await line.prompt("read", { ...place, offset });
    if (value.missing) return null;
    parts.push(bytes);
    offset += bytes.length;
    if (bytes.length === 0 || offset >= value.size) return { parts, isPacked: value.packed === true };
  }
}
