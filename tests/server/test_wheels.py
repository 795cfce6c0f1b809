"""The packages that model code may import: pinned by hash, shipped unchanged, good for any Pyodide of this version."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from rlm_core.documents import PACKAGES
from rlm_server.assets import find_assets

ROOT = Path(__file__).parents[2]
LOCK = json.loads((ROOT / "worker" / "sandbox" / "pyodide-lock.json").read_text())
PINNED: dict[str, dict[str, Any]] = LOCK["packages"]
LOAD = """
import { loadPyodide } from "pyodide";
const [folder, lock] = process.argv.slice(1);
const pyodide = await loadPyodide({ lockFileContents: lock, packageBaseUrl: folder, checkIntegrity: true });
await pyodide.loadPackage(["pypdf", "openpyxl", "mammoth"], { messageCallback: () => {} });
const program = "import pypdf, openpyxl, et_xmlfile, mammoth, cobble; pypdf.__file__";
console.log(pyodide.runPython(program));
"""


def served() -> dict[str, Any]:
    """The lock file among the assets."""
    return dict(json.loads(built("pyodide-lock.json").read_text()))


def built(name: str) -> Path:
    folder = find_assets().assets
    path: str = json.loads((folder / "manifest.json").read_text())["files"][name]["path"]
    return folder / path


def test_the_lock_file_is_for_the_pyodide_that_is_shipped() -> None:
    shipped = json.loads((ROOT / "node_modules" / "pyodide" / "pyodide-lock.json").read_text())
    assert LOCK["info"] == shipped["info"] == served()["info"]


@pytest.mark.parametrize("name", PINNED)
def test_a_wheel_is_shipped_as_its_project_released_it(name: str) -> None:
    package = PINNED[name]
    path = find_assets().assets / served()["packages"][name]["file_name"]
    assert path == built(package["file_name"])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == package["sha256"]


@pytest.mark.parametrize("name", PINNED)
def test_all_that_a_wheel_needs_is_pinned(name: str) -> None:
    with zipfile.ZipFile(built(PINNED[name]["file_name"])) as wheel:
        [path] = [path for path in wheel.namelist() if path.endswith(".dist-info/METADATA")]
        told = message_from_bytes(wheel.read(path))
    always = [line for line in told.get_all("Requires-Dist") or [] if ";" not in line]
    needed = {line.split("<")[0].split(">")[0].split("=")[0].strip().replace("_", "-") for line in always}
    assert needed == set(PINNED[name]["depends"]) <= set(PINNED)
    assert told["Version"] == PINNED[name]["version"]


def test_the_licence_of_all_that_is_handed_out_is_told() -> None:
    told = (ROOT / "THIRD_PARTY.md").read_text()
    packages = json.loads((ROOT / "package.json").read_text())["dependencies"]
    versions = [*packages.values(), *(package["version"] for package in PINNED.values())]
    assert [version for version in versions if f"| {version} |" not in told] == []
    assert [name for name in PINNED if f"[{name}]" not in told] == []


def test_what_the_prompt_names_is_pinned() -> None:
    assert set(PACKAGES) <= {name for package in PINNED.values() for name in package["imports"]}


@pytest.mark.slow
def test_a_plain_pyodide_loads_them_by_our_lock_file() -> None:
    node = [sys.executable, "hatch_build.py", "node", "--input-type=module", "-e", LOAD]
    arguments = [f"{find_assets().assets}/", built("pyodide-lock.json").read_text()]
    done = subprocess.run([*node, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("site-packages/pypdf/__init__.py\n"), done.stderr


def test_pyodide_lock_reads_it_and_would_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = pytest.importorskip("pyodide_lock", reason="needs Python 3.12 or newer")
    utils = pytest.importorskip("pyodide_lock.utils")
    monkeypatch.setattr(utils, "_check_wheel_compatible", lambda path, info: None)  # see hatch_wheels.py
    spec = lock.PyodideLockSpec.from_dict(LOCK)
    spec.check_wheel_filenames()
    empty = lock.PyodideLockSpec.from_dict({**LOCK, "packages": {}})
    wheels = [ROOT / "build" / "cache" / "wheels" / package["file_name"] for package in PINNED.values()]
    assert utils.add_wheels_to_spec(empty, wheels).to_dict() == LOCK
