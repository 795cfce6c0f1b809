#!/usr/bin/env bash
# pyodide-lock and a wheel whose platform tag is that of PEP 783, `pyemscripten_2026_0_wasm32`.
#
# One would guess: the tool that writes Pyodide's lock files takes the wheels that the registry has for this Pyodide.
# What happens: `add_wheels_to_spec` compares the tag with `emscripten_5_0_3_wasm32`, which it puts together from the lock
#   file's `platform` and `arch`, and refuses the wheel, although the same lock file states `abi_version` 2026_0. The pure
#   wheel beside it is taken.
# Versions: pyodide-lock 0.2.1, lock file of pyodide 314.0.7, python-calamine 0.9.1, striprtf 0.0.35. Date: 2026-11-28.
# Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=$folder/venv/bin/pip
"$pip" install --quiet --ignore-requires-python 'pyodide-lock[wheel]==0.2.1'
"$pip" download --quiet --no-deps --only-binary=:all: --python-version=3.14 --implementation=cp --abi=cp314 --abi=none \
  --platform=pyemscripten_2026_0_wasm32 --platform=any --dest="$folder" python-calamine==0.9.1 striprtf==0.0.35
cat > "$folder/try.py" <<'PY'
import sys
from pathlib import Path

from pyodide_lock import PyodideLockSpec
from pyodide_lock.utils import add_wheels_to_spec

info = {"arch": "wasm32", "platform": "emscripten_5_0_3", "python": "3.14.2", "abi_version": "2026_0"}
for wheel in sorted(Path(sys.argv[1]).glob("*.whl")):
    spec = PyodideLockSpec.from_dict({"info": info, "packages": {}})
    try:
        print(wheel.name.split("-")[0], "taken as", *add_wheels_to_spec(spec, [wheel]).packages)
    except RuntimeError as error:
        print(wheel.name.split("-")[0], "refused:", "don't match" in str(error))
PY
"$folder/venv/bin/python" "$folder/try.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
python_calamine refused: True
striprtf taken as striprtf
SEEN
