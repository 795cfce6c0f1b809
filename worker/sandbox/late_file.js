// @ts-check
// Late file: a file of the interpreter whose bytes are read from its blob when they are first asked for.
//
// In: Emscripten's file system, a path in memory, and a blob. Out: a file there of the blob's size, which is read and
// changed like any other. Beside a snapshot, whose modules are imported already, most runs read neither the library nor
// the core: 4 MB that no worker asks the browser's process for, and copies twice.

const EIO = 29;

/**
 * @param {import("./pyodide.js").Pyodide["FS"]} FS
 * @param {string} path
 * @param {Blob} blob
 * @param {{readAsArrayBuffer: (blob: Blob) => ArrayBuffer}} [reader]
 */
export function putLateFile(FS, path, blob, reader = new FileReaderSync()) {
  FS.writeFile(path, new Uint8Array());
  const { node } = FS.lookupPath(path);
  const keep = (/** @type {Uint8Array} */ value) =>
    void Object.defineProperty(node, "contents", { value, writable: true, configurable: true });
  const read = () => {
    try {
      keep(new Uint8Array(reader.readAsArrayBuffer(blob)));
    } catch (error) {
      throw error instanceof DOMException ? new FS.ErrnoError(EIO) : error; // uncaught, it is fatal to the interpreter
    }
    return node.contents;
  };
  node.usedBytes = blob.size;
  Object.defineProperty(node, "contents", { get: read, set: keep, configurable: true });
}
