// Types of what has none: the bundled Emscripten module, and as much of Pyodide and of bridge.py as the worker uses.

declare module "pyodide/pyodide.asm.mjs" {
  const createPyodideModule: () => Promise<unknown>;
  export default createPyodideModule;
}
