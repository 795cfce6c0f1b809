"""Boot: makes the fresh interpreter fit for runs, before any data is there.

In: a Pyodide just started. Out: the same, with the modules imported that every run needs, so that `ready` means ready.
"""

from __future__ import annotations

import sys

RECURSION_LIMIT = 1_000


def prepare() -> None:
    """Bound recursion, and leave the import path without the working directory."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    while "" in sys.path:
        sys.path.remove("")
