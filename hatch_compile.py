"""Compile: a zip of Python sources -> the same zip with bytecode in their place.

`hatch_build.py` runs this inside Pyodide under node, so that the bytecode has the magic number of the interpreter in
the worker. It runs on CPython as well, for that interpreter. What is no Python source is copied as it is.
"""

from __future__ import annotations

import importlib.util
import marshal
import zipfile
from pathlib import PurePosixPath

ZIP_TIME = (2020, 1, 1, 0, 0, 0)  # fixed, so that the same sources give the same bytes and the same hash
UNCHECKED = (0b01).to_bytes(4, "little") + bytes(8)
"""Flags and source hash of a .pyc that is never compared with its source."""


def compile_zip(source: str, target: str) -> None:
    """Write the zip at `source` to `target`, with each `x.py` as `x.pyc`."""
    with zipfile.ZipFile(source) as sources, zipfile.ZipFile(target, "w") as archive:
        for entry in sources.infolist():
            if not entry.is_dir():
                name, data = converted(entry.filename, sources.read(entry))
                archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED, compresslevel=9)


def converted(name: str, data: bytes) -> tuple[str, bytes]:
    """Name and bytes of a file in the new zip."""
    if PurePosixPath(name).suffix != ".py":
        return name, data
    code = compile(data, name, "exec", dont_inherit=True, optimize=0)
    return f"{name}c", importlib.util.MAGIC_NUMBER + UNCHECKED + marshal.dumps(code)
