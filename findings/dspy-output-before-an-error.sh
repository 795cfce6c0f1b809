#!/usr/bin/env bash
# dspy (RLM, LocalInterpreter): a block that prints and then raises, in the trajectory and in the model's next prompt.
#
# One would guess: the output of the block is its printed text, followed by the error.
# What happens: the printed text is gone; the entry holds the error alone, so that the model pays for the same work again.
# Versions: dspy 3.4.1, CPython 3.11. Date: 2026-11-28. Source: run here, `dspy.RLM` with a scripted model.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dspy==3.4.1
cat > "$folder/try.py" <<'PY'
import dspy
from dspy.primitives.local_interpreter import LocalInterpreter
from dspy.utils import DummyLM

model = DummyLM(
    [
        {"reasoning": "One.", "code": "print('page 3 holds the code 4711')\nraise KeyError('page 4')"},
        {"reasoning": "Two.", "code": "SUBMIT('done')"},
    ]
)
dspy.configure(lm=model)
rlm = dspy.RLM("question -> answer", max_iters=3, sub_lm=model, interpreter_factory=LocalInterpreter)
print(rlm(question="What?").trajectory[0]["output"])
PY
"$folder/venv/bin/python" "$folder/try.py" 2> "$folder/log" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
[Error] KeyError: 'page 4'
SEEN
