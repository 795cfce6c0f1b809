// Vite: the assets of the workers, served by the development server and put into the build.
//
// In: a folder with manifest.json. Out: a plugin; the app finds the assets at `path` below its base. What is not there is
// reported when Vite starts, not when a visitor asks.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";

const MANIFEST = "manifest.json";
/** @type {Record<string, string>} */
const TYPES = { ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };

/**
 * @param {import("./vite.d.ts").RLMAssetsOptions} [options]
 * @returns {import("./vite.d.ts").RLMAssetsPlugin}
 */
export function rlmAssets({ path = "rlm-assets/", from } = {}) {
  const below = `${path.replace(/^\/+|\/+$/g, "")}/`;
  let folder = "";
  let base = "/";
  let isForServer = false;
  return {
    name: "pyodide-rlm",
    configResolved({ root, base: chosen, build }) {
      folder = from === undefined ? installed(root) : resolve(root, from);
      if (!existsSync(join(folder, MANIFEST)))
        throw new Error(
          `pyodide-rlm: ${folder} has no ${MANIFEST}. Fill it with "pyodide-rlm embed", and name its assets.`,
        );
      base = chosen;
      isForServer = Boolean(build?.ssr);
    },
    configureServer({ middlewares }) {
      middlewares.use(base + below, (request, response, next) => {
        const name = (request.url ?? "").replace(/^\/|[?#].*$/g, "");
        if (!names(folder).includes(name)) return next();
        const type = TYPES[extname(name)] ?? "application/octet-stream";
        response.setHeader("content-type", type);
        response.setHeader("cache-control", "no-cache");
        createReadStream(join(folder, name)).pipe(response);
      });
    },
    generateBundle() {
      if (isForServer) return;
      for (const name of names(folder))
        this.emitFile({ type: "asset", fileName: below + name, source: readFileSync(join(folder, name)) });
    },
  };
}

/**
 * The files to serve: those of the manifest, and itself.
 * @param {string} folder
 */
function names(folder) {
  const { files } = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8"));
  return [...Object.values(files).map(({ path }) => path), MANIFEST];
}

/**
 * The folder of the package pyodide-rlm-assets.
 * @param {string} root of the app
 */
function installed(root) {
  try {
    return dirname(createRequire(join(root, "package.json")).resolve(`pyodide-rlm-assets/files/${MANIFEST}`));
  } catch (cause) {
    const remedy =
      'Install it, or name a folder that "pyodide-rlm embed DIR" has filled: rlmAssets({ from: "DIR/assets" }).';
    throw new Error(`pyodide-rlm: the package pyodide-rlm-assets is not installed in ${root}. ${remedy}`, { cause });
  }
}
