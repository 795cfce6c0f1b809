"""Make `build/pyodide/`: a plain Pyodide with the needs of the unit suite, for pytest-pyodide.

Wheels come from the package index by pip; the tests themselves then use no network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "pyodide"
FILES = ("pyodide.js", "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
WHEELS = (
    "micropip==0.11.1",
    "pytest==9.2.0",
    "pluggy==1.7.0",
    "iniconfig==2.3.1",
    "packaging==26.3",
    "pygments==2.21.0",
)


def main() -> None:
    """Copy Pyodide, download the wheels, build our own, and write a lock file without packages last."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    package = ROOT / "node_modules" / "pyodide"
    for name in FILES:
        shutil.copyfile(package / name, OUT / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run(
        [*pip, "download", "--no-deps", "--only-binary=:all:", "--python-version=3.14", f"--dest={OUT}", *WHEELS],
        check=True,
    )
    subprocess.run([*pip, "wheel", "--no-deps", f"--wheel-dir={OUT}", str(ROOT)], check=True)
    lock = json.loads((package / "pyodide-lock.json").read_text())
    (OUT / "pyodide-lock.json").write_text(json.dumps({"info": lock["info"], "packages": {}}))


if __name__ == "__main__":
    main()
