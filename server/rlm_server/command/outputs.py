"""Outputs: the files that a run writes, and what becomes of them on a full disk.

In: paths, before a run; text and events, during and after it. Out: the files; where one cannot be written, its text in
the folder for temporary files, and a line that says so. Nothing that was paid for is lost with a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import click

from rlm_core import ConfigError
from rlm_core.events import FOR_WATCHING


def probe(path: Path, option: str) -> None:
    """Find out whether the file at `path` can be written, and leave it as it is.

    Raises:
        ConfigError: it cannot; nothing was spent.
    """
    try:
        if not path.exists():
            _write_and_remove(path.resolve())  # a link to a file that is not there stays
        elif path.is_file():
            with path.open("ab"):
                pass
            if shutil.disk_usage(path).free == 0:
                raise OSError(None, "its disk is full")
        elif path.is_dir() or not os.access(path, os.W_OK):
            raise OSError(None, "it is no file that can be written")
    except OSError as fault:
        message = f"{option}: {path} cannot be written: {fault.strerror}. Nothing was asked. Name another file."
        raise ConfigError(message) from None


def _write_and_remove(path: Path) -> None:
    try:
        with path.open("xb") as file:
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def save(path: Path, text: str) -> bool:
    """Write `text` to `path` in one step: a file that was there is replaced when the new one is whole.

    Where that fails, the text goes to the folder for temporary files, and stderr says where.

    Returns:
        whether `path` was written.
    """
    try:
        _replace(path, text)
    except OSError as fault:
        click.echo(f"error: {path} cannot be written: {fault.strerror}. {_rescued(path, text)}", err=True)
        return False
    return True


def _replace(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():  # a device or a pipe
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return
    made = path.resolve().with_name(f".{path.name}.part")
    try:
        made.write_text(text, encoding="utf-8", errors="surrogatepass")
        os.replace(made, path.resolve())
    finally:
        with contextlib.suppress(OSError):
            made.unlink()


def _rescued(path: Path, text: str) -> str:
    try:
        number, name = tempfile.mkstemp(prefix=f"{path.stem}-", suffix=path.suffix)
        with open(number, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
    except OSError as fault:
        return (
            f"The folder for temporary files takes it neither: {fault.strerror}. Free some space and run with --resume."
        )
    return f"It is in {name}."


class EventLog:
    """Appends each event to a file as it happens; the first replaces the file's content, `finish` writes it whole.

    A disk that is full meanwhile does not end the run: the log is whole again when it is finished.

    Args:
        path: of the file; `None` writes nothing.
        ended: logs of earlier questions of the conversation, which the file holds before this one.
    """

    def __init__(self, path: Path | None, ended: Iterable[str] = ()) -> None:
        self._path = path
        self._before = "".join(ended)
        self._file: TextIO | None = None
        self._is_whole = path is not None

    def take(self, event: dict[str, Any]) -> None:
        """Append an event that belongs to the log."""
        if not self._is_whole or event["type"] in FOR_WATCHING:
            return
        assert self._path is not None, "only a log with a path is whole"
        try:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8", errors="surrogatepass")
                self._file.write(self._before)
            self._file.write(json.dumps(event) + "\n")
            self._file.flush()
        except OSError as fault:
            self._is_whole = False
            again = "The run continues; the log is written at its end."
            click.echo(f"note: {self._path} cannot be written: {fault.strerror}. {again}", err=True)

    def finish(self, text: str) -> bool:
        """Write the whole log, after which the next question's may come; whether the file has it."""
        if self._path is None:
            return True
        self.close()
        self._before += text
        self._is_whole = save(self._path, self._before)
        return self._is_whole

    def close(self) -> None:
        """Close the file; what is in it stays."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what it held back is in the text that is saved
                self._file.close()
            self._file = None
