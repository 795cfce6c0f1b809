// Types of what has none: the bundled Emscripten module, and as much of Pyodide and of bridge.py as the worker uses.

declare module "pyodide/pyodide.asm.mjs" {
  interface Module {
    HEAP8: Int8Array;
    growMemory(bytes: number): void;
  }
  const createPyodideModule: (settings: object) => Promise<Module>;
  export default createPyodideModule;
}
