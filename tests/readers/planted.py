"""Planted: the fact that is planted in each file, the text around it, and the ways that files are packed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

CODE = "K-4711-QX"


FACT = f"The access code for the harbor gate is {CODE}."


LINES = [f"Sentence {number} tells of rivers, ledgers and lamps." for number in range(12)]


TEXT = "\n".join([*LINES[:6], FACT, *LINES[6:]])


ROWS = [["id", "place", "remark"], *([str(n), f"site {n}", line] for n, line in enumerate(LINES)), ["99", "gate", FACT]]


def separated(delimiter: str, rows: list[list[str]] = ROWS) -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def zipped(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def patched(data: bytes, edit: Callable[[str, bytes], bytes]) -> bytes:
    """A zip with each file changed by `edit`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({name: edit(name, archive.read(name)) for name in archive.namelist()})


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def bytes_of(made: bytes | str) -> bytes:
    return made.encode() if isinstance(made, str) else made
