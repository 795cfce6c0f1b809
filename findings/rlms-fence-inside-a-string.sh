#!/usr/bin/env bash
# rlms (recursive language models, Python): code whose string holds a Markdown fence, and a fence left open.
#
# One would guess: a block that builds a Markdown report is run whole; a reply cut before its closing fence is noticed.
# What happens: the block ends at the first line of back-ticks inside the string, so half of the code is run, which
#   does not compile; a block without a closing fence is not found at all, and nothing says so.
# Versions: rlms 0.1.3, CPython 3.11. Date: 2026-11-28. Source: run here, `find_code_blocks`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rlms==0.1.3
cat > "$folder/try.py" <<'PY'
from rlm.utils.parsing import find_code_blocks

FENCE = "`" * 3
report = f'{FENCE}repl\nreport = """# Sums\n{FENCE}\n1 + 1\n{FENCE}\n"""\nprint(report)\n{FENCE}\n'
[found] = find_code_blocks(report)
print(found.splitlines())
try:
    compile(found, "block", "exec")
except SyntaxError as error:
    print("SyntaxError:", error.msg.split(" (")[0])
print(find_code_blocks(f"{FENCE}repl\nprint(len(context))\n"))
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
['report = """# Sums']
SyntaxError: unterminated triple-quoted string literal
[]
SEEN
