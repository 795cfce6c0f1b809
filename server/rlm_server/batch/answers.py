"""Answers of a batch: the file of rows, which a kill at any moment leaves usable.

In: rows as lines end, in any order. Out: a line of JSON for each, on the disk before the next one is counted. At a new
start the last line is cut off where it is torn, and rows with an error are dropped, so that their lines run again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rlm_core import ConfigError

PART = ".part"


def key_of(row: Mapping[str, Any]) -> str:
    """The key of a row in either form, "" where it has none."""
    key = row.get("key") or str(row.get("id", "")).removeprefix("batch_req_")
    return key if isinstance(key, str) else ""


def is_answer(row: Mapping[str, Any]) -> bool:
    """Whether a row holds its answer."""
    return row.get("error") is None and ("answer" in row or "response" in row)


class Answers:
    """The file at `path`, in a `with` block; one process writes it at a time.

    Attributes:
        answered: keys of the rows with an answer.
        mended: sentences about repairs at the start.

    Raises:
        ConfigError: it cannot be written, or holds lines that are no rows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.answered: set[str] = set()
        self.mended: list[str] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Answers:
        try:
            self._file = self._path.open("a+b")
            _lock(self._file, self._path)
            self._read(self._file)
        except OSError as fault:
            raise ConfigError(f"--out: {self._path} cannot be written: {fault.strerror}. Nothing was asked.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Append `row`; it is on the disk when this returns.

        Raises:
            OSError: the disk is full, or gone.
        """
        assert self._file is not None, "the file is open"
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        if is_answer(row):
            self.answered.add(key_of(row))

    def _read(self, file: IO[bytes]) -> None:
        """Take the rows with an answer; where others are there, write the file anew without them."""
        kept: list[tuple[int, int]] = []
        dropped = torn = 0
        is_unended = False
        file.seek(0)
        for number, line in enumerate(iter(file.readline, b""), 1):
            row = _row(line)
            if row is None:
                if not line.endswith(b"\n"):
                    torn = len(line)
                    break
                raise ConfigError(
                    f"{self._path.name}:{number} is no row of a batch. Nothing was asked. Name another file for --out."
                )
            is_unended = not line.endswith(b"\n")
            if is_answer(row) and key_of(row) not in self.answered:
                self.answered.add(key_of(row))
                kept.append((file.tell() - len(line), len(line)))
            else:
                dropped += 1
        if torn:
            self.mended.append(f"the last line of {self._path.name} was cut off after {torn:,} bytes, and is dropped")
        if dropped:
            rows = "1 row" if dropped == 1 else f"{dropped:,} rows"
            self.mended.append(f"{rows} without an answer dropped; their lines run again")
        if torn or dropped or is_unended:
            self._rewrite(file, kept)

    def _rewrite(self, file: IO[bytes], kept: list[tuple[int, int]]) -> None:
        made = self._path.with_name(self._path.name + PART)
        with made.open("w+b") as whole:
            for begin, size in kept:
                file.seek(begin)
                line = file.read(size)
                whole.write(line if line.endswith(b"\n") else line + b"\n")
            whole.flush()
            os.fsync(whole.fileno())
        os.replace(made, self._path)
        file.close()
        self._file = self._path.open("a+b")
        _lock(self._file, self._path)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and key_of(row) else None


def _lock(file: IO[bytes], path: Path) -> None:
    """Let no other batch write the file; where the system has no locks, nothing is checked."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigError(f"{path} is written by another batch. Wait for it, or name another file.") from None
