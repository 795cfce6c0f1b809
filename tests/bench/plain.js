// Peers of the bench, on a page without any protection; evaluated there, it leaves `plain` behind.

(() => {
  const PYODIDE = `import { loadPyodide } from "${location.origin}/pyodide/pyodide.mjs";
    const pyodide = await loadPyodide({ indexURL: "${location.origin}/pyodide/" });
    postMessage(pyodide.runPython("1 + 1"));`;
  const PING = `onmessage = ({ data: { memory, count } }) => {
    const words = new Int32Array(memory);
    const began = performance.now();
    for (let done = 0; done < count; done += 1) {
      Atomics.store(words, 0, 0);
      postMessage(1);
      while (Atomics.load(words, 0) === 0) Atomics.wait(words, 0, 0);
    }
    postMessage((performance.now() - began) / count);
  };`;
  const workerOf = (source, type) =>
    new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type });

  /** A worker with `loadPyodide()` and nothing else, until it has run its first line. */
  const ready = async ({ count }) => {
    const all = [];
    for (let done = 0; done < count; done += 1) {
      const began = performance.now();
      const worker = workerOf(PYODIDE, "module");
      await new Promise((resolve, reject) => Object.assign(worker, { onmessage: resolve, onerror: reject }));
      all.push(performance.now() - began);
      worker.terminate();
    }
    return all;
  };

  /** Milliseconds of one question and answer between a worker that waits and its page. */
  const pingPong = ({ count }) =>
    new Promise((resolve) => {
      const memory = new SharedArrayBuffer(4);
      const words = new Int32Array(memory);
      const worker = workerOf(PING, "classic");
      worker.onmessage = ({ data }) => {
        if (data !== 1) return (worker.terminate(), resolve(data));
        Atomics.store(words, 0, 1);
        Atomics.notify(words, 0);
      };
      worker.postMessage({ memory, count });
    });

  globalThis.plain = { ready, pingPong };
})();
