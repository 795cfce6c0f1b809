#!/usr/bin/env bash
# rlms (recursive language models, Python): a sub-call that fails, seen from model code.
#
# One would guess: `llm_query` raises, or gives None, when the provider cannot be reached.
# What happens: it returns a string that begins with "Error:", and a batch returns one such string an item, so that code
#   that counts or joins replies takes the failure for a model's answer.
# Versions: rlms 0.1.3, CPython 3.11. Date: 2026-11-28. Source: run here, `LocalREPL` with nothing listening.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rlms==0.1.3
cat > "$folder/try.py" <<'PY'
import socket

from rlm.environments.local_repl import LocalREPL

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = free.getsockname()
repl = LocalREPL(lm_handler_address=address, context_payload="three lines")
code = """
one = llm_query("How many lines?")
many = llm_query_batched(["a", "b"])
print(type(one).__name__, one.startswith("Error:"))
print(len(many), all(reply.startswith("Error:") for reply in many))
"""
done = repl.execute_code(code)
print(done.stdout.strip())
print("stderr empty:", done.stderr == "")
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
str True
2 True
stderr empty: True
SEEN
