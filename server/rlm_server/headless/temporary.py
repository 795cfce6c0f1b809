"""Temporary folders of runs, and the end of those that a killed process left.

In: nothing. Out: a folder, removed with its block. Each holds a file that its process has locked: the kernel gives the
lock back however the process ends. The first folder of a process removes those of the same user that are older than a
day and that no process has locked; of another user, of unknown form, or behind a link none is touched.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: folders are locked by nothing there, and none is removed
    fcntl = None  # type: ignore[assignment]

PREFIX = "rlm-"
LOCK = "lock"
STALE_SECONDS = 86_400
log = logging.getLogger(__name__)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the files of a run, until the block ends."""
    _remove_stale_once()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, Path(folder, LOCK).open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(folder)


@lru_cache(maxsize=1)
def _remove_stale_once() -> None:
    removed = remove_stale(Path(tempfile.gettempdir()))
    if removed:
        log.info("removed %d temporary folders that killed runs had left", removed)


def remove_stale(parent: Path) -> int:
    """Remove the folders in `parent` that killed processes of this user left; how many they were."""
    return sum(_is_removed(path) for path in parent.glob(f"{PREFIX}*")) if fcntl is not None else 0


def _is_removed(folder: Path) -> bool:
    """Remove `folder` where it is stale."""
    try:
        about = folder.lstat()
        is_old = about.st_mtime < time.time() - STALE_SECONDS
        if not (is_old and about.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()):
            return False
        with Path(folder, LOCK).open("r+") as lock:
            if not _is_free(lock):
                return False
            shutil.rmtree(folder)
    except OSError:  # it has no lock, so that it is none of ours, or it is gone
        return False
    return True


def _is_free(lock: IO[str]) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
