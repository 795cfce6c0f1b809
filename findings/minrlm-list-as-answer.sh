#!/usr/bin/env bash
# minrlm (PythonREPL): an answer that is a list, or the word "None".
#
# One would guess: FINAL(value) ends the run with str(value), and so does FINAL_var for the same value.
# What happens: FINAL drops the outer brackets of whatever begins and ends with them, and then one quote at each end, so
#   that a list of two names loses a quote of each; FINAL_var of the same list keeps it whole. "None" and "unknown",
#   right answers to many a question, are refused as placeholders, and the refused text stays in `output`.
# Versions: minrlm 0.1.5, CPython 3.11. Date: 2026-11-29. Source: run here, `PythonREPL.execute`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet minrlm==0.1.5
cat > "$folder/try.py" <<'PY'
from minrlm.core import PythonREPL

BLOCKS = [
    "FINAL(['Smith', 'Jones'])",
    "names = ['Smith', 'Jones']\nFINAL_var('names')",
    "FINAL('[1] Smith, see also [2]')",
    "FINAL('None')",
]
for block in BLOCKS:
    got = PythonREPL().execute(block)
    print(repr(block.splitlines()[-1]), "->", repr(got["output"]), got["error"] and got["error"].split(" (")[0])
PY
"$folder/venv/bin/python" "$folder/try.py" 2> "$folder/log" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
"FINAL(['Smith', 'Jones'])" -> "Smith', 'Jones" None
"FINAL_var('names')" -> "['Smith', 'Jones']" None
"FINAL('[1] Smith, see also [2]')" -> '1] Smith, see also [2' None
"FINAL('None')" -> 'None' ValueError: FINAL() cannot be a placeholder
SEEN
