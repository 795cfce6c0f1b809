// @ts-check
// Classic worker: the answer to Pyodide's question whether this is one, before Pyodide asks it.
//
// In: the worker's realm. Out: the same with an `importScripts` that throws no error: the browser's own would be refused here
// too, by an error whose stack takes V8 two more parses of the whole script. The lock-down removes both.

const importScripts = () => {
  throw null;
};
Object.assign(globalThis, { importScripts });
