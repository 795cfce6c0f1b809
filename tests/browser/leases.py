"""Leases: the calls that a killed server had begun, and whose replies it had not kept.

In: the file of its replies, and a folder for a copy, so that the next server finds the file as the kill left it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

Lease = tuple[bytes, str]


def leases_in(store: Path, copy: Path) -> set[Lease]:
    """Key and owner of each call under way; a later server has leases of its own."""
    copy.mkdir()
    for path in store.parent.glob(f"{store.name}*"):
        shutil.copy(path, copy)
    with closing(sqlite3.connect(copy / store.name)) as kept:
        return set(kept.execute("SELECT key, owner FROM lease"))
