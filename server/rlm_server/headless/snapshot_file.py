"""Snapshot file: the memory of a booted interpreter, kept in the user's cache for the next headless browser.

In: a build of the assets and an engine. Out: the file of their snapshot, whole, in a folder that is the user's alone.
Its name has both and its digest, so that no other is used. It was made by a worker without a job: nothing of a run is
in it. A file or a folder that cannot be used costs a line of the log and a slower start, never a run.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

log = logging.getLogger(__name__)

PRIVATE_FOLDER = 0o700
MOST_FILES = 3
"""Files that are kept; the oldest go first. Each is of another build or engine."""
SUFFIX = ".snapshot"
PARTIAL = ".part"
PARTIAL_SECONDS = 3_600
"""Age at which a partial file was left by a process that is gone."""


class SnapshotFile:
    """The kept snapshot of one build in one engine; several processes may use it at once.

    Args:
        folder: made where it is missing.
        build: names the assets, such as the text of their manifest.
        engine: names the browser and its version.
    """

    def __init__(self, folder: Path, build: bytes, engine: str) -> None:
        self._folder = folder
        self._name = hashlib.sha256(build + b"\0" + engine.encode()).hexdigest()[:32]

    def read(self) -> Path | None:
        """The file, where there is one that is as it was written; any other is removed."""
        try:
            if not (self._folder.is_dir() and _is_own(self._folder)):
                return None
            for path in self._folder.glob(f"{self._name}-*{SUFFIX}"):
                if path.is_file() and not path.is_symlink() and _digest(path) == path.stem.partition("-")[2]:
                    return path
                log.warning("the kept snapshot %s was damaged; a new one is made", path)
                path.unlink()
        except OSError as fault:
            log.warning("the snapshot in %s cannot be read: %s", self._folder, fault)
        return None

    def keep(self, source: Path) -> None:
        """Keep a copy of `source`, whole or not at all."""
        try:
            self._folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            if not _is_own(self._folder):
                return
            number, partial = tempfile.mkstemp(PARTIAL, dir=self._folder)
            os.close(number)  # only the user may read it
            try:
                shutil.copyfile(source, partial)
                os.replace(partial, self._folder / f"{self._name}-{_digest(Path(partial))}{SUFFIX}")
            except OSError:
                os.unlink(partial)
                raise
            self._drop_oldest()
        except OSError as fault:
            log.warning("the snapshot cannot be kept in %s: %s", self._folder, fault)

    def discard(self) -> None:
        """Remove the file: workers do not start from it."""
        log.warning("workers do not start from the snapshot that was kept in %s; a new one is made", self._folder)
        try:
            for path in self._folder.glob(f"{self._name}-*{SUFFIX}"):
                path.unlink(missing_ok=True)
        except OSError as fault:
            log.warning("it cannot be removed: %s", fault)

    def _drop_oldest(self) -> None:
        files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
        partial = (path for path in self._folder.glob(f"*{PARTIAL}") if _age(path) > PARTIAL_SECONDS)
        for path in (*files[MOST_FILES:], *partial):
            path.unlink(missing_ok=True)


def _is_own(folder: Path) -> bool:
    """Whether nobody but the user can write to `folder`."""
    facts = folder.stat()
    is_own = os.name == "nt" or (facts.st_uid == os.geteuid() and not facts.st_mode & 0o022)
    if not is_own:
        log.warning("no snapshot is kept in %s: others can write to it. Make it `chmod 700`, and yours", folder)
    return is_own


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
