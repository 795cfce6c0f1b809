"""Wheels: the packages that model code may import besides the standard library.

In: `worker/sandbox/pyodide-lock.json`, our own pruned Pyodide lock file, which names each by version and hash. Out:
those very files, unchanged, in `build/cache/wheels/`, fetched by pip from whatever index it is set up for.
`python hatch_wheels.py` fetches them. `python hatch_wheels.py pin NAME...` resolves the packages and what they need
anew, and writes the lock file; that takes pyodide-lock, a development dependency
where Python is 3.12 or newer.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
LOCK = ROOT / "worker" / "sandbox" / "pyodide-lock.json"
WHEELS = ROOT / "build" / "cache" / "wheels"
TAGS = ["--platform=pyemscripten_2026_0_wasm32", "--platform=any", "--implementation=cp", "--abi=cp314", "--abi=none"]
"""Wheels for this interpreter (the platform tag of PEP 783), or for any."""
PYODIDE_LOCK = ROOT / "node_modules" / "pyodide" / "pyodide-lock.json"


def fetch() -> None:
    """Bring `WHEELS` up to what the lock file names; pip refuses what has another hash.

    Raises:
        subprocess.CalledProcessError: pip failed; its output says why.
    """
    lock = json.loads(LOCK.read_text())
    missing = [package for package in lock["packages"].values() if not is_fetched(package)]
    if not missing:
        return
    lines = [f"{package['name']}=={package['version']} --hash=sha256:{package['sha256']}\n" for package in missing]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text("".join(lines))
        download(WHEELS, lock["info"]["python"], "--no-deps", "--require-hashes", "--requirement", str(wanted))


def is_fetched(package: dict[str, Any]) -> bool:
    path = WHEELS / package["file_name"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(package["sha256"])


def pin(names: list[str]) -> None:
    """Write the lock file for `names` (with `==version` where one is wanted) and all that they need."""
    from pyodide_lock import PyodideLockSpec, utils

    utils._check_wheel_compatible = lambda path, info: None  # refuses PEP 783 tags; pip has chosen by TAGS
    info = json.loads(PYODIDE_LOCK.read_text())["info"]
    with tempfile.TemporaryDirectory() as folder:
        download(Path(folder), info["python"], *names)
        empty = PyodideLockSpec.from_dict({"info": info, "packages": {}})
        lock = utils.add_wheels_to_spec(empty, sorted(Path(folder).glob("*.whl")))
    LOCK.write_text(json.dumps(lock.to_dict(), indent=1, sort_keys=True) + "\n")


def download(folder: Path, python: str, *wanted: str) -> None:
    options = ["--quiet", "--only-binary=:all:", f"--python-version={python}", f"--dest={folder}", *TAGS]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, *wanted], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["pin"]:
        pin(sys.argv[2:])
    else:
        fetch()
