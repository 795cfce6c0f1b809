"""Asset files: those that a notebook's page boots workers from, by their path, as bytes to send.

In: paths that a page asks for. Out: the file's bytes, compressed where that saves much, or none. A path is a name that
a manifest or a lock file holds, and leads nowhere else.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..assets import Assets, find_assets, packages_folder

PACKAGES = "packages/"
LOCK = "pyodide-lock.json"
PACKED_KINDS = (".wasm", ".js", ".json")
LEAST_PACKED = 64 << 10
LEVEL = 6


class AssetBytes(NamedTuple):
    """A file; `packed` is by gzip."""

    data: bytes
    packed: bool


def bundle_path(assets: Assets) -> Path:
    """The module that the notebook runs."""
    return assets.assets / "page" / "widget.js"


def build_of(assets: Assets) -> str:
    """Name of this build: pages keep its assets and its module by it."""
    parts = ((assets.assets / "manifest.json").read_bytes(), bundle_path(assets).read_bytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def read_asset(path: str, packages: Path | None = None) -> AssetBytes | None:
    """The file at `path` in the folder of the assets; `None`: there is none of that name.

    Args:
        packages: folder of the packages that the user added, by default the user's own.
    """
    file = _added_file(path, packages) if path.startswith(PACKAGES) else _built_file(path)
    return None if file is None or not file.is_file() else _bytes_of(file, file.stat().st_mtime_ns)


def _built_file(path: str) -> Path | None:
    folder = find_assets().assets
    manifest = json.loads((folder / "manifest.json").read_bytes())
    names = {"manifest.json", *(entry["path"] for entry in manifest["files"].values())}
    return folder / path if path in names else None


def _added_file(path: str, packages: Path | None) -> Path | None:
    folder, name = packages_folder(packages), path.removeprefix(PACKAGES)
    if name == LOCK:
        return folder / LOCK
    if not (folder / LOCK).is_file():
        return None
    lock = json.loads((folder / LOCK).read_bytes())
    names = {package["file_name"] for package in lock["packages"].values()}
    return folder / name if name in names and "/" not in name and name != ".." else None


@lru_cache(maxsize=4)
def _bytes_of(file: Path, changed: int) -> AssetBytes:
    """Kept for the next part of it, and the next page."""
    data = file.read_bytes()
    if file.suffix not in PACKED_KINDS or len(data) < LEAST_PACKED:
        return AssetBytes(data, packed=False)
    return AssetBytes(gzip.compress(data, LEVEL), packed=True)
