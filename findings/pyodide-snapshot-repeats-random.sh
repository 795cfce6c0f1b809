#!/usr/bin/env bash
# Pyodide: several interpreters that start from one memory snapshot.
#
# One would guess: each start draws its own random numbers, as each start of Python does; a snapshot saves time only.
# What happens: where `random` was imported before the snapshot was made, each interpreter draws the same numbers, and
#   hashes of strings (the order of a set of strings) are the same in all of them; without a snapshot both differ from
#   start to start. What asks the system each time, such as uuid4 and secrets, differs in each.
# Versions: pyodide 314.0.7 from npm, Node 20. Date: 2026-11-29.
# Source: run here, with the options `_makeSnapshot` and `_loadSnapshot`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
npm install --silent --prefix "$folder" pyodide@314.0.7 > "$folder/log" 2>&1
cat > "$folder/try.mjs" <<'JS'
import { loadPyodide } from "pyodide";

const DRAWN = "import random, uuid; [random.random(), hash('a'), str(uuid.uuid4())]";
const first = await loadPyodide({ _makeSnapshot: true });
first.runPython("import random");
const snapshot = first.makeMemorySnapshot();

const drawn = async (options) => (await loadPyodide(options)).runPython(DRAWN).toJs();
const names = ["random", "hash", "uuid4"];
for (const [start, options] of Object.entries({ "one snapshot": { _loadSnapshot: snapshot }, "no snapshot": {} })) {
  const [one, two] = [await drawn(options), await drawn(options)];
  console.log(start, names.map((name, i) => `${name}: ${one[i] === two[i] ? "the same" : "differs"}`).join(", "));
}
JS
node "$folder/try.mjs" 2>> "$folder/log" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
one snapshot random: the same, hash: the same, uuid4: differs
no snapshot random: differs, hash: differs, uuid4: differs
SEEN
