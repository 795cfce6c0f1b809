// The unprotected worker: plain Pyodide, no policy, no removed names. Attacks must succeed in it.
//
// In: one message {code} at a time. Out: {ready} once, then the output of the code, with its traceback.

import { loadPyodide } from "/pyodide/pyodide.mjs";

const pyodide = await loadPyodide({ indexURL: "/pyodide/" });
const namespace = pyodide.globals;

globalThis.onmessage = async ({ data: { code } }) => {
  const lines = [];
  pyodide.setStdout({ batched: (line) => lines.push(line) });
  pyodide.setStderr({ batched: (line) => lines.push(line) });
  try {
    await pyodide.runPythonAsync(code, { globals: namespace });
  } catch (error) {
    lines.push(String(error).slice(-2_000));
  }
  globalThis.postMessage(lines.join("\n").slice(0, 20_000));
};
globalThis.postMessage({ ready: true });
