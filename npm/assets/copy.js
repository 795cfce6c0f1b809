#!/usr/bin/env node
// Copy: the assets of this package, into a folder that a site serves.
//
// In: `pyodide-rlm-assets FOLDER`. Out: FOLDER with the files of the manifest and no older ones; the manifest comes last, so
// that at no moment it names a missing file.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FILES = fileURLToPath(new URL("./files/", import.meta.url));
const MANIFEST = "manifest.json";

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || rest.length > 0) end("usage: pyodide-rlm-assets FOLDER, such as public/rlm-assets");
else if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, MANIFEST)))
  end(`${folder} holds other files. Name an empty or a new folder, such as ${join(folder, "rlm-assets")}.`);
else copy(folder);

/** @param {string} target */
function copy(target) {
  const { files } = JSON.parse(readFileSync(join(FILES, MANIFEST), "utf8"));
  const names = Object.values(files).map(({ path }) => path);
  mkdirSync(target, { recursive: true });
  for (const name of [...names, MANIFEST]) copyFileSync(join(FILES, name), join(target, name));
  for (const { name } of readdirSync(target, { withFileTypes: true }).filter((entry) => entry.isFile()))
    if (name !== MANIFEST && !names.includes(name)) rmSync(join(target, name));
  console.log(`${target}: ${names.length + 1} files. Pass its address in your site as the option assets.`);
}

/** @param {string} message */
function end(message) {
  console.error(message);
  process.exitCode = 2;
}
