"""The npm packages: whole, small, of one version, and typed for a strict TypeScript project."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hatch_build import NODE_MODULES, ROOT, build_assets, node
from hatch_npm import archive, write_assets, write_modules

MOST_BYTES = 1_000_000
HOST = re.compile(r'"resolved"|registry\.|npmjs')
RESOLUTIONS = {"bundler": "ESNext", "node16": "Node16"}
"""How TypeScript finds a package, with the kind of module that it is then compiled to."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_assets()
    return write_modules(tmp_path_factory.mktemp("npm") / "modules")


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_assets()
    return write_assets(tmp_path_factory.mktemp("npm") / "assets")


def package(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "package.json").read_text())
    return read


def test_both_packages_have_the_version_of_the_project(modules: Path, assets: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    named = {(package(folder)["name"], package(folder)["version"]) for folder in (modules, assets)}
    assert named == {("pyodide-rlm", version), ("pyodide-rlm-assets", version)}


def test_the_modules_are_packed_whole_and_stay_small(modules: Path) -> None:
    exports = [each for each in package(modules)["exports"].values() if isinstance(each, dict)]
    assert len(exports) > 5
    assert [path for each in exports for path in each.values() if not (modules / path).is_file()] == []
    packed = archive(modules)
    assert packed.name == f"pyodide-rlm-{package(modules)['version']}.tgz"
    whole = sum(path.stat().st_size for path in modules.rglob("*") if path.is_file())
    assert packed.stat().st_size < whole < MOST_BYTES


def test_the_element_can_be_imported_where_a_server_renders_and_tells_bundlers_what_is_not_theirs(
    modules: Path,
) -> None:
    script = "import('./ask.js').then(({ RLMAsk }) => console.log(typeof RLMAsk))"
    done = subprocess.run([*node(), "-e", script], cwd=modules, capture_output=True, text=True, check=True)
    assert done.stdout == "function\n"
    assert re.search(r"import\(\s*/\* @vite-ignore \*/\s*/\* webpackIgnore: true \*/", (modules / "ask.js").read_text())


def test_no_file_of_theirs_and_no_lock_file_names_a_registry(modules: Path, assets: Path) -> None:
    said = [*modules.rglob("*.json"), *assets.glob("*.json"), ROOT / "package-lock.json"]
    said += (ROOT / "tests").rglob("package-lock.json")
    assert [path for path in said if HOST.search(path.read_text())] == []


def test_the_command_copies_the_assets_and_takes_older_ones_away(assets: Path, tmp_path: Path) -> None:
    target = tmp_path / "public" / "rlm-assets"
    copy = [*node(), str(assets / "copy.js"), str(target)]
    assert "Pass its address" in subprocess.run(copy, check=True, capture_output=True, text=True).stdout
    (target / "worker.000000000000.js").write_text("of an older version")
    subprocess.run(copy, check=True)
    there = {path.name: path.stat().st_size for path in target.iterdir()}
    assert there == {path.name: path.stat().st_size for path in (assets / "files").iterdir()}
    other = tmp_path / "public"
    refused = subprocess.run([*copy[:-1], str(other)], capture_output=True, text=True, check=False)
    assert (refused.returncode, "holds other files" in refused.stderr) == (2, True)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_types_are_complete_for_a_strict_project(resolution: str, modules: Path, tmp_path: Path) -> None:
    installed = tmp_path / "node_modules" / "pyodide-rlm"
    shutil.copytree(modules, installed)
    use = (ROOT / "tests" / "worker" / "use.ts").read_text()
    named = re.sub(r'"\.\./\.\./worker/(?:rlm|(ask|providers/\w+))\.js"', r'"pyodide-rlm/\1"', use)
    own = named.replace('rlm/"', 'rlm"')
    assert own.count('from "pyodide-rlm') > 5
    (tmp_path / "use.ts").write_text(own)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    assert checked(tmp_path, resolution) == ""
    (tmp_path / "use.ts").write_text(own + "\nnew RLM({ maxIterations: 'many' });\n")
    assert "not assignable to type 'number'" in checked(tmp_path, resolution)


def checked(folder: Path, resolution: str, *, with_packages: bool = True) -> str:
    """The faults that tsc finds in a strict project, which also checks the types of its packages."""
    options = {
        "strict": True,
        "skipLibCheck": not with_packages,
        "noEmit": True,
        "target": "ES2022",
        "lib": ["ES2023", "DOM", "DOM.Iterable"],
        "module": RESOLUTIONS[resolution],
        "moduleResolution": resolution,
        "exactOptionalPropertyTypes": True,
        "types": [],
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))
    tsc = [*node(), str(NODE_MODULES / "typescript" / "bin" / "tsc"), "-p", str(folder)]
    return subprocess.run(tsc, capture_output=True, text=True, check=False).stdout
