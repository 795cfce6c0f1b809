#!/usr/bin/env bash
# rlm-runtime (LocalREPL): the same statement twice in one session, with a change between.
#
# One would guess: a REPL runs each block that it is given; `print(n)` after `n = 100` prints 100.
# What happens: a block whose text was run before is not run, and its first output is given again, as its cache goes by
#   the text of the code and the context alone. A count is not raised a second time, and a changed variable reads as it
#   was. The cache is on by default, and the result does not say that it came from there (but for a duration of 0 ms).
# Versions: rlm-runtime 2.1.3, CPython 3.11. Date: 2026-11-29. Source: run here, `LocalREPL.execute`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rlm-runtime==2.1.3
cat > "$folder/try.py" <<'PY'
import asyncio

from rlm.repl.local import LocalREPL


async def session(repl):
    blocks = ["n = 1", "n = n + 1\nprint(n)", "n = n + 1\nprint(n)", "print(n)", "n = 100", "print(n)"]
    return [(await repl.execute(block)).output.strip() for block in blocks]


print("as it comes:      ", asyncio.run(session(LocalREPL())))
print("cache_enabled off:", asyncio.run(session(LocalREPL(cache_enabled=False))))
PY
"$folder/venv/bin/python" -W ignore "$folder/try.py" 2> "$folder/log" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
as it comes:       ['', '2', '2', '2', '', '2']
cache_enabled off: ['', '2', '3', '3', '', '100']
SEEN
