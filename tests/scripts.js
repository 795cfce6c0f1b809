// The tests of the page's scripts under node, in few processes: starting one for each file costs more than its tests.
//
// In: the `*.test.js` of `worker/` and `web/` beside this file. Out: node's report; the exit status is 1 where a test
// failed. A file that changes its process (a global, a mock, a hook) has one of its own, all others share one.
// One file alone: `node --test FILE`.

import { readdirSync, readFileSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath, pathToFileURL } from "node:url";

const CHANGES_ITS_PROCESS = /\bglobalThis\.|\bmock\b|^(?:before|after)(?:Each)?\(/m;
const files = ["worker/", "web/"].flatMap((folder) => {
  const names = /** @type {string[]} */ (readdirSync(new URL(folder, import.meta.url), { recursive: true })).sort();
  const tests = names.filter((name) => name.endsWith(".test.js"));
  return tests.map((name) => fileURLToPath(new URL(folder + name.replaceAll("\\", "/"), import.meta.url)));
});
const apart = files.filter((file) => CHANGES_ITS_PROCESS.test(readFileSync(file, "utf8")));

if (process.env.NODE_TEST_CONTEXT) {
  // Node's own mark of a process that runs tests for another: here the shared one.
  for (const file of files) if (!apart.includes(file)) await import(pathToFileURL(file).href);
} else {
  const results = run({ files: [fileURLToPath(import.meta.url), ...apart], concurrency: true });
  results.on("test:fail", () => {
    process.exitCode = 1;
  });
  results.compose(new spec()).pipe(process.stdout);
}
