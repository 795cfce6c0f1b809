#!/usr/bin/env bash
# recursive-llm and rlm-runtime: `print` inside a function that a block defines and calls.
#
# One would guess: what a function prints is in the output of the block, as in any Python; recursive-llm's system prompt
#   tells the model that print() output of a step will be shown to it.
# What happens: only what the block prints outside of functions is shown. Both run the code under RestrictedPython, which
#   gives each function a collector of its own for its prints; neither package reads any but the block's. No error and no
#   note says so. (`total += 1` is refused by recursive-llm as well, with a NameError of an internal name.)
# Versions: recursive-llm 0.5.0, rlm-runtime 2.1.3, CPython 3.11. Date: 2026-11-29. Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
for package in recursive-llm==0.5.0 rlm-runtime==2.1.3; do
  python3 -m venv "$folder/${package%%=*}"
  "$folder/${package%%=*}/bin/pip" install --quiet "$package"
done
cat > "$folder/block.py" <<'PY'
def show(number):
    print("row", number)


for number in range(3):
    show(number)
print("end")
PY
cat > "$folder/try_recursive.py" <<'PY'
import sys
from pathlib import Path

from rlm.repl import REPLError, REPLExecutor

if __name__ == "__main__":
    with REPLExecutor() as repl:
        print("recursive-llm:", repl.execute(Path(sys.argv[1]).read_text(), {}))
        try:
            repl.execute("total = 0\ntotal += 1", {})
        except REPLError as error:
            print("recursive-llm:", error)
PY
cat > "$folder/try_runtime.py" <<'PY'
import asyncio
import sys
from pathlib import Path

from rlm.repl.local import LocalREPL

print("rlm-runtime:", asyncio.run(LocalREPL().execute(Path(sys.argv[1]).read_text())).output.strip())
PY
{
  "$folder/recursive-llm/bin/python" -W ignore "$folder/try_recursive.py" "$folder/block.py" 2> "$folder/log"
  "$folder/rlm-runtime/bin/python" -W ignore "$folder/try_runtime.py" "$folder/block.py" 2>> "$folder/log"
} | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
recursive-llm: end
recursive-llm: Execution error: name '_inplacevar_' is not defined
rlm-runtime: end
SEEN
