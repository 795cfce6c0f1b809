// @ts-check
/**
 * Python: the functions of the Python process that a page calls. In a headless page Playwright binds them as globals; a
 * notebook's widget binds functions that send messages to the kernel. Values are JSON text.
 */

/**
 * @typedef {object} PythonFunctions
 * @property {(id: string, lines: string) => Promise<void>} rlmNotify each line a kind, a space and the value
 * @property {(id: string, tool: number, args: string) => Promise<{result: string | null, error: string | null}>} rlmTool
 * @property {(id: string, request: string) => Promise<import("/rlm/rlm.js").RLMEgressAnswer>} rlmEgress
 * @property {(id: string, number: number, call: string) => Promise<string>} rlmModel
 * @property {(id: string, number: number) => Promise<void>} rlmModelStop
 */

export let python = /** @type {PythonFunctions} */ (/** @type {unknown} */ (globalThis));

/** @param {PythonFunctions} functions */
export function bindPython(functions) {
  python = functions;
}
