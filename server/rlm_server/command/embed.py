"""Embed: the files that a static site copies, so that its own pages can run the worker.

In: a folder. Out: the same, with the host's modules and the assets that they boot workers from. No header and no server
of ours is needed to serve it; only the endpoint that answers model calls is elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from rlm_core import ConfigError

from ..assets import find_assets

MANIFEST = "manifest.json"
PACKAGES_LOCK = "pyodide-lock.json"
ELEMENT = "ask.js"


def embed(folder: Path, packages: Path) -> int:
    """Copy `rlm.js`, its imports, `ask.js`, `assets/` and the added packages into `folder`; return the bytes written.

    Files of an earlier version in `assets/` are removed; the manifest comes last, so that at no moment it names a
    missing file.

    Raises:
        ConfigError: `folder` holds something else, or the assets are not built.
    """
    built = find_assets()
    assets = folder / "assets"
    if folder.exists() and any(folder.iterdir()) and not (assets / MANIFEST).is_file():
        raise ConfigError(f"{folder} holds other files. Name an empty or a new folder, such as {folder / 'rlm'}.")
    assets.mkdir(parents=True, exist_ok=True)
    names = [entry["path"] for entry in json.loads((built.assets / MANIFEST).read_text())["files"].values()]
    written = sum(copied(built.worker / name, folder / name) for name in _modules(built.worker))
    written += copied(built.assets / "page" / ELEMENT, folder / ELEMENT)
    written += sum(copied(built.assets / name, assets / name) for name in [*names, MANIFEST])
    for path in assets.iterdir():
        if path.is_file() and path.name not in names and path.name != MANIFEST:
            path.unlink()
    return written + _copy_packages(packages, assets / "packages")


def _copy_packages(source: Path, target: Path) -> int:
    """Copy what `pyodide-rlm packages` has added, the lock file last; wheels that are no longer named are removed."""
    lock = source / PACKAGES_LOCK
    names = []
    if lock.is_file():
        names = [package["file_name"] for package in json.loads(lock.read_text(encoding="utf-8"))["packages"].values()]
    written = sum(copied(source / name, target / name) for name in [*names, *([PACKAGES_LOCK] if names else [])])
    if target.is_dir():
        for path in target.iterdir():
            if path.name not in names and (not names or path.name != PACKAGES_LOCK):
                path.unlink()
    return written


def _modules(worker: Path) -> Iterator[str]:
    """The modules that a page imports, with their types; the worker's script is in the assets."""
    modules = (path.relative_to(worker) for path in worker.rglob("*") if path.name.endswith((".js", ".d.ts")))
    yield from sorted(str(path) for path in modules if path.parts[0] != "sandbox")


def copied(source: Path, target: Path) -> int:
    """Copy a file in one step; return its bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, made)
    os.replace(made, target)
    return source.stat().st_size
