// Compile: a zip of Python sources as bytecode, by the Pyodide that will run it.
//
// In: paths of hatch_compile.py, of the sources, and of the result. Out: the zip of bytecode there, without the columns of
// each instruction: a tenth of its size, for marks below lines of a library whose source the worker does not have.

import { readFileSync, writeFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const [program, source, target] = process.argv.slice(2);
const { FS, runPython } = await loadPyodide({ env: { PYTHONNODEBUGRANGES: "1" } });
FS.writeFile("sources.zip", readFileSync(source));
runPython(readFileSync(program, "utf8"));
runPython("compile_zip('sources.zip', 'compiled.zip')");
writeFileSync(target, FS.readFile("compiled.zip"));
