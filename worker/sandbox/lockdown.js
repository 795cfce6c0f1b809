// @ts-check
// Lock-down: removes globals from the worker's realm that model code has no business with.
//
// In: the worker's global scope. Out: the same with an allow-list of names left, a capped wasm memory, a stub fetch.
// This is the second wall; the first is the content security policy of the worker's own response (see selftest.js).

const LANGUAGE = [
  "Object",
  "Function",
  "Array",
  "Number",
  "Boolean",
  "String",
  "Symbol",
  "BigInt",
  "Math",
  "JSON",
  "Reflect",
  "Proxy",
  "Promise",
  "RegExp",
  "Date",
  "Intl",
  "Map",
  "Set",
  "WeakMap",
  "WeakSet",
  "WeakRef",
  "FinalizationRegistry",
  "Iterator",
  "Error",
  "AggregateError",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "SuppressedError",
  "DisposableStack",
  "AsyncDisposableStack",
  "Temporal",
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Atomics",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "globalThis",
  "undefined",
  "NaN",
  "Infinity",
  "isNaN",
  "isFinite",
  "parseInt",
  "parseFloat",
  "encodeURI",
  "encodeURIComponent",
  "decodeURI",
  "decodeURIComponent",
  "escape",
  "unescape",
];
/** Globals that Pyodide itself uses after its boot: timers of its event loop, text coding, random bytes, wasm. */
const RUNTIME = [
  "WebAssembly",
  "TextEncoder",
  "TextDecoder",
  "crypto",
  "performance",
  "console",
  "setTimeout",
  "clearTimeout",
  "queueMicrotask",
  "URL",
  "DOMException",
  "AbortController",
  "AbortSignal",
];
const KEPT = new Set(["constructor", ...LANGUAGE, ...RUNTIME]);
const NAVIGATOR_KEPT = new Set([
  "constructor",
  "userAgent",
  "platform",
  "hardwareConcurrency",
  "language",
  "languages",
]);
const CONSTANTS = new Set(["TEMPORARY", "PERSISTENT"]);
const PAGE_BYTES = 65_536;

/** Delete functions that crash the tab in a worker of opaque origin; before anything else. */
export function removeObjectUrls() {
  Reflect.deleteProperty(URL, "createObjectURL");
  Reflect.deleteProperty(URL, "revokeObjectURL");
}

/**
 * Refuse to grow any wasm memory beyond `bytes`: Python sees MemoryError and lives on.
 * @param {number} bytes
 */
export function capMemory(bytes) {
  const { apply } = Reflect;
  const grow = WebAssembly.Memory.prototype.grow;
  const size = /** @type {(this: WebAssembly.Memory) => ArrayBuffer} */ (
    Object.getOwnPropertyDescriptor(WebAssembly.Memory.prototype, "buffer")?.get
  );
  WebAssembly.Memory.prototype.grow = function (/** @type {number} */ pages) {
    const wanted = apply(size, this, []).byteLength + pages * PAGE_BYTES;
    if (wanted > bytes) throw new RangeError(`memory limit reached: ${wanted} of ${bytes} bytes`);
    return apply(grow, this, [pages]);
  };
}

/**
 * Let Pyodide fetch exactly its two files, from buffers of the host.
 * @param {WebAssembly.Module} wasm
 * @param {ArrayBuffer} stdlib
 */
export function serveAssets(wasm, stdlib) {
  const served = { ok: true, arrayBuffer: async () => stdlib };
  globalThis.fetch = async (resource) => {
    const url = String(resource);
    if (!/\/(python_stdlib\.zip|pyodide\.asm\.wasm)$/.test(url))
      throw new TypeError(`the worker has no network: ${url}`);
    return /** @type {Response} */ (served); // of which no more is read; a real one would copy the bytes twice
  };
  WebAssembly.instantiateStreaming = async (_source, imports) => {
    const instance = await WebAssembly.instantiate(wasm, imports);
    return { module: wasm, instance };
  };
}

/**
 * Remove every global that is not on the allow-list, also from the prototypes of the global scope.
 * @returns {string[]} names that could not be removed, the two known constants left out
 */
export function lockDown() {
  /** @type {string[]} */
  const left = [];
  if (typeof navigator === "object") strip(Object.getPrototypeOf(navigator), NAVIGATOR_KEPT, left);
  if (typeof EventTarget === "function") strip(EventTarget.prototype, new Set(["constructor"]), left);
  /** @type {object | null} */
  let scope = globalThis;
  for (; scope !== null && scope !== Object.prototype; scope = Object.getPrototypeOf(scope)) strip(scope, KEPT, left);
  return left.filter((name) => !CONSTANTS.has(name));
}

/**
 * @param {object} target
 * @param {Set<string>} kept
 * @param {string[]} left
 */
function strip(target, kept, left) {
  for (const name of Object.getOwnPropertyNames(target)) {
    if (!kept.has(name) && !Reflect.deleteProperty(target, name)) left.push(name);
  }
}
