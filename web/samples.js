// @ts-check
/**
 * Sample contexts that the server brings along. In: `samples.json` and the file that it names. Out: a list to choose
 * from, and a `File`. A server without samples has an empty list.
 */

import { addressOf } from "./address.js";

/** @typedef {{title: string, file: string, question: string}} Sample */

const FOLDER = addressOf("page/samples/");

/** @returns {Promise<Sample[]>} */
export async function fetchSamples() {
  const response = await request("samples.json");
  return response ? response.json() : [];
}

/**
 * @param {Sample} sample
 * @returns {Promise<File | import("./types/run.js").Problem>}
 */
export async function fetchSample({ file, title }) {
  const response = await request(encodeURIComponent(file));
  if (response) return new File([await response.blob()], file, { type: "text/plain" });
  return {
    title: `The sample “${title}” could not be loaded.`,
    cause: "The server does not answer, or was installed without its samples.",
    action: "Check that “pyodide-rlm serve” is running, then choose the sample again.",
  };
}

/** @param {string} name @returns {Promise<Response | null>} `null` when it is not available */
async function request(name) {
  try {
    const response = await fetch(FOLDER + name);
    return response.ok ? response : null;
  } catch (error) {
    if (error instanceof TypeError) return null; // fetch says so when there is no connection
    throw error;
  }
}
