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

/** A file that the bundler puts in as a `data:` address. */
declare module "*.woff2" {
  const address: string;
  export default address;
}

/** Name of the self-test's font in the folder of the assets; the bundler puts it in. */
declare const OWN_FONT_NAME: string;
