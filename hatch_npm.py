"""npm: the packages for people's builds, `pyodide-rlm` and `pyodide-rlm-assets`.

In: `npm/`, `worker/` and the built assets. Out: two archives in `build/npm/`, of one version: the modules with their
types, and the assets that workers boot from (21 MB). Nothing is published.
`python hatch_npm.py` packs both, and prints their sizes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatch_build import ELEMENT, NODE_MODULES, OUT, ROOT, build_assets, node, npm, project_version

PACKED = ROOT / "build" / "npm"
TYPED = ROOT / "worker" / "wire" / "protocol.js"
"""The module whose types are in its comments, and that the public types import: they are emitted beside it."""
LEGAL = ("LICENSE", "THIRD_PARTY.md")


def pack(target: Path) -> list[Path]:
    """Make both packages below `target`; return their archives.

    Raises:
        subprocess.CalledProcessError: tsc or npm failed; its output says why.
    """
    build_assets()
    return [archive(write_modules(target / "modules")), archive(write_assets(target / "assets"))]


def write_modules(folder: Path) -> Path:
    """The package `pyodide-rlm` as a folder: the modules that a page imports, their types, and the plugin for Vite."""
    write_package(folder, ROOT / "npm")
    for name in ("README.md", "vite.js", "vite.d.ts"):
        shutil.copyfile(ROOT / "npm" / name, folder / name)
    shutil.copyfile(OUT / "page" / ELEMENT, folder / ELEMENT)
    worker = ROOT / "worker"
    modules = [path for path in worker.rglob("*") if path.name.endswith((".js", ".d.ts"))]
    copy_files(worker, (path for path in modules if path.relative_to(worker).parts[0] != "sandbox"), folder)
    emit_types(TYPED, folder / "wire")
    return folder


def write_assets(folder: Path) -> Path:
    """The package `pyodide-rlm-assets` as a folder: what the manifest names, and the command that copies it."""
    write_package(folder, ROOT / "npm" / "assets")
    for name in ("README.md", "copy.js"):
        shutil.copyfile(ROOT / "npm" / "assets" / name, folder / name)
    (folder / "copy.js").chmod(0o755)
    manifest = OUT / "manifest.json"
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"].values()
    copy_files(OUT, [manifest, *(OUT / entry["path"] for entry in files)], folder / "files")
    return folder


def write_package(folder: Path, source: Path) -> None:
    """An empty `folder` with the `package.json` of `source`, in this project's version, and the licences."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    package: dict[str, Any] = json.loads((source / "package.json").read_text(encoding="utf-8"))
    named = {"name": package["name"], "version": project_version()}
    (folder / "package.json").write_text(json.dumps(named | package, indent=2) + "\n", encoding="utf-8")
    for name in LEGAL:
        shutil.copyfile(ROOT / name, folder / name)


def copy_files(source: Path, files: Iterable[Path], target: Path) -> None:
    """Copy files of `source` under their paths."""
    for path in files:
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


def emit_types(module: Path, folder: Path) -> None:
    """The declarations of a module, for users whose TypeScript reads no JavaScript."""
    chosen = ["--allowJs", "--declaration", "--emitDeclarationOnly", "--target", "ES2023", "--outDir", str(folder)]
    compiler = str(NODE_MODULES / "typescript" / "bin" / "tsc")
    subprocess.run([*node(), compiler, "--ignoreConfig", *chosen, str(module)], cwd=ROOT, check=True)


def archive(folder: Path) -> Path:
    """The archive of a package, beside its folder."""
    packing = [*npm(), "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder.parent)]
    done = subprocess.run(packing, cwd=folder, check=True, capture_output=True, text=True)
    return folder.parent / done.stdout.split()[-1]


def main() -> int:
    for path in pack(PACKED):
        print(f"packed {path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
