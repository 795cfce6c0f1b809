// webpack by its interface; a warning fails the build, as a strict project has it.

import { fileURLToPath } from "node:url";
import webpack from "webpack";

const own = (name) => fileURLToPath(new URL(name, import.meta.url));
const options = {
  mode: "production",
  entry: own("main.js"),
  output: { path: own("dist") },
  performance: { hints: false },
};
webpack(options, (error, stats) => {
  console.log(error ?? stats.toString());
  process.exitCode = error || stats.hasErrors() || stats.hasWarnings() ? 1 : 0;
});
