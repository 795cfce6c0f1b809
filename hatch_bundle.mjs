// Bundle: modules with all that they import, by esbuild.
//
// In: esbuild's options as JSON, and the folders of the server's paths: room -> name -> path, "" for all other names.
// Out: the files that the options name. An import of "/rlm/..." or "/vendor/..." is a file of its room, or, where the room
// is null, stays an import of a file beside the bundle. Pyodide's own script is shortened on the way.

import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { shortened } from "./hatch_interpreter.mjs";

const [options, rooms] = process.argv.slice(2).map((text) => JSON.parse(text));

/** @param {{path: string}} imported */
function rooted({ path }) {
  const [, room, name] = path.match(/^\/(\w+)\/(.*)$/);
  if (rooms[room] === null) return { path: `./${name}`, external: true };
  return { path: resolve(rooms[room][name] ?? rooms[room][""] + name) };
}

/** @param {{path: string}} loaded */
async function interpreter({ path }) {
  const texts = [path, join(dirname(path), "pyodide.mjs")].map((each) => readFile(each, "utf8"));
  const [text, others] = await Promise.all(texts);
  return { contents: await shortened(text, others) };
}

const shortening = {
  name: "interpreter",
  setup: (bundling) => void bundling.onLoad({ filter: /\/pyodide\.asm\.mjs$/ }, interpreter),
};
const plugin = { name: "rooms", setup: (bundling) => void bundling.onResolve({ filter: /^\/(rlm|vendor)\// }, rooted) };
await build({ ...options, plugins: rooms ? [plugin] : [shortening] }).catch(() => process.exit(1)); // esbuild has printed why
