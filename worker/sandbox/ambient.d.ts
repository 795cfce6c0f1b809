// Types of the bundled Emscripten module, which has none, and of what only a worker has.

declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

declare module "pyodide/pyodide.asm.mjs" {
  interface Module {
    HEAP8: Int8Array;
    growMemory(bytes: number): void;
  }
  const createPyodideModule: (settings: object) => Promise<Module>;
  export default createPyodideModule;
}
