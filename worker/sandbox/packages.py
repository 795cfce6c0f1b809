"""Packages: libraries that reach a worker when an import asks for them, so that one that reads nothing holds none.

In: the lock file, whose entries name their import names, and the packages of a run. Out: a finder for `sys.meta_path`.
It has the host send the wheel, unpacks it into a folder of the import path, and leaves the import to Python. The host
checks the wheel's hash.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path("/lib/packages")


class Packages(MetaPathFinder):
    """Finds the packages of a lock file.

    Args:
        lock: the lock file.
        folder: where wheels are unpacked.

    Attributes:
        request: gives the bytes of the wheel of a package, by its name in the lock file; None between runs.
    """

    def __init__(self, lock: bytes, folder: Path = FOLDER) -> None:
        self.request: Callable[[str], bytes] | None = None
        self._built_in: dict[str, dict[str, Any]] = json.loads(lock)["packages"]
        self._packages = self._built_in
        self._owners = _owners(self._packages)
        self._unpacked: set[str] = set()
        self._folder = folder

    def choose(self, packages: Sequence[Mapping[str, Any]]) -> None:
        """Let these be imported too: fields `name`, `imports` and `depends` of each, as in the lock file."""
        chosen = {package["name"]: dict(package) for package in packages}
        self._packages = {**chosen, **self._built_in}
        self._owners = _owners(self._packages)

    def names(self) -> frozenset[str]:
        """Names that can be imported."""
        return frozenset(self._owners)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a top-level module of a package; raises ImportError where its wheel cannot be had."""
        owners = self._owners.get(fullname, ())
        if path is not None or not owners or (self.request is None and not self._unpacked.issuperset(owners)):
            return None
        for owner in owners:
            self._unpack(owner)
        return PathFinder.find_spec(fullname, [str(self._folder)])

    def _unpack(self, name: str) -> None:
        if name in self._unpacked:
            return
        for needed in self._packages[name]["depends"]:
            if needed in self._packages:
                self._unpack(needed)
        assert self.request is not None
        with zipfile.ZipFile(io.BytesIO(self.request(name))) as wheel:
            wheel.extractall(self._folder)
        self._unpacked.add(name)
        if str(self._folder) not in sys.path:
            sys.path.append(str(self._folder))


def _owners(packages: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Import name -> packages that bring it; those of a namespace are several."""
    owners: dict[str, list[str]] = {}
    for key, package in packages.items():
        for name in package["imports"]:
            owners.setdefault(name, []).append(key)
    return owners
