"""Context upload: a Python caller's context, in the form that the page takes.

In: a context of any kind. Out: files for the page, with the way to read them. The context goes through a file, so that
its size does not matter. A folder stands for all its files, at any depth, as in a drop on the page.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from rlm_core import ConfigError

from .python_tools import json_text
from .tables import NAME, csv_of
from .temporary import temporary_folder

Kind = Literal["files", "text", "json", "bytes", "none"]
log = logging.getLogger(__name__)

MAX_FILES = 10_000
"""Files of one folder; the page takes as many."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Files, and how the page reads them: `files` stay files; each other kind is one file that holds the value.

    Attributes:
        names: name of each of `paths` in the REPL; of a file in a folder, its path from the folder on.
    """

    kind: Kind
    paths: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()


@contextmanager
def uploaded(context: object) -> Iterator[Upload]:
    """`context` as files, for as long as the `with` block lasts.

    Args:
        context: a `Path` of a file or a folder, several, text, bytes, any JSON value, or a table of pandas or polars,
            which becomes the file `table.csv`; `None` for none.

    Raises:
        ConfigError: it is none of these, or a folder is empty, or holds more than `MAX_FILES` files.
    """
    files = [file for path in _paths(context) for file in _files(path)]
    with temporary_folder() as folder:
        if context is None or files:
            valid = _with_valid_names(files, folder)
            names, paths = tuple(name for name, _ in valid), tuple(path for _, path in valid)
            yield Upload("files" if files else "none", paths, names)
            return
        if (table := csv_of(context)) is not None:
            path = folder / NAME
            path.write_text(table, encoding="utf-8", newline="")
            yield Upload("files", (path,), (NAME,))
            return
        kind, data = _encoded(context)
        path = folder / "context"
        path.write_bytes(data)
        yield Upload(kind, (path,), (path.name,))


@contextmanager
def uploaded_log(log: Mapping[str, object]) -> Iterator[tuple[Mapping[str, object], tuple[Path, ...]]]:
    """`log` without its text, and a file that holds the text, for as long as the `with` block lasts.

    Args:
        log: of `Arguments`; empty for none, and then there is no file.
    """
    if not log:
        yield log, ()
        return
    [(kind, value)] = log.items()
    text = value["log"] if isinstance(value, Mapping) else value
    with temporary_folder() as folder:
        path = folder / "log"
        # as JSON writes half of a surrogate pair, which no file of UTF-8 holds
        path.write_text(str(text), encoding="utf-8", errors="backslashreplace", newline="")
        yield {kind: {**value, "log": ""} if isinstance(value, Mapping) else ""}, (path,)


@contextmanager
def uploaded_logs(logs: Sequence[str]) -> Iterator[tuple[Path, ...]]:
    """A file for each log, in their order, for as long as the `with` block lasts."""
    with temporary_folder() as folder:
        paths = tuple(folder / f"{number}.jsonl" for number in range(len(logs)))
        for path, log in zip(paths, logs, strict=True):
            path.write_text(log, encoding="utf-8", errors="backslashreplace", newline="")
        yield paths


def _with_valid_names(files: Sequence[tuple[str, Path]], folder: Path) -> list[tuple[str, Path]]:
    """`files`; one whose name is not valid text has "\ufffd" for its bytes, and a link in `folder`.

    The browser is given paths as text, and would not find such a file.
    """
    taken = {name for name, _ in files}
    valid: list[tuple[str, Path]] = []
    for number, (name, path) in enumerate(files):
        if _as_text(str(path)) == str(path) and _as_text(name) == name:
            valid.append((name, path))
            continue
        shown = _as_text(name)
        while shown in taken:
            shown += "_"
        taken.add(shown)
        link = folder / f"{number}"
        link.symlink_to(path.resolve())
        valid.append((shown, link))
    return valid


def _as_text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _paths(context: object) -> tuple[Path, ...]:
    if isinstance(context, Path):
        return (context,)
    if isinstance(context, Sequence) and context and all(isinstance(item, Path) for item in context):
        return tuple(context)
    return ()


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder, and the number of those that stay outside.

    Attributes:
        files: name in the REPL and path of each; a link inside the folder is there as the file that it names.
        hidden: files and folders whose name begins with a dot, and links to such.
        links: links that lead out of the folder, or to folders or nowhere.
        special: pipes, sockets and devices.
    """

    files: tuple[tuple[str, Path], ...]
    hidden: int = 0
    links: int = 0
    special: int = 0

    def summary(self) -> str:
        """
        >>> Folder((("a", Path("a")),), hidden=2, links=1).summary()
        'folder of 1 file, 2 hidden left out, 1 link that leads out of it left out'
        """
        count = len(self.files)
        parts = [
            f"folder of {count:,} file{'s' * (count != 1)}",
            f"{self.hidden:,} hidden left out" if self.hidden else "",
            f"{self.links:,} {'links that lead' if self.links > 1 else 'link that leads'} out of it left out"
            if self.links
            else "",
            f"{self.special:,} of a special kind left out" if self.special else "",
        ]
        return ", ".join(filter(None, parts))


def read_folder(path: Path) -> Folder:
    """The files of the folder at `path`, at any depth, by path. No link leads out of it, and none to a hidden file.

    Raises:
        ConfigError: it is empty, or holds more than `MAX_FILES` files, or a folder that cannot be read.
    """
    top = path.resolve()
    files: list[tuple[str, Path]] = []
    counts = {"hidden": 0, "links": 0, "special": 0}
    for folder, below, names in os.walk(top, onerror=_unreadable):
        for name in names + [name for name in below if Path(folder, name).is_symlink()]:
            kind = _kind(Path(folder, name), top)
            if kind == "file":
                file = Path(folder, name)
                files.append((file.relative_to(top.parent).as_posix(), file.resolve()))
            else:
                counts[kind] += 1
        counts["hidden"] += sum(name.startswith(".") for name in below)
        below[:] = [name for name in below if not name.startswith(".")]
        if len(files) > MAX_FILES:
            message = f"the folder {path} holds more than {MAX_FILES:,} files. Give a part of it, or a zip archive."
            raise ConfigError(message)
    if not files:
        message = f"no file is in the folder {path} (names that begin with a dot, and links out of it, do not count)."
        raise ConfigError(f"{message} Give another.")
    return Folder(tuple(sorted(files)), **counts)


def _unreadable(fault: OSError) -> NoReturn:
    """Refuse a folder that would be left out in silence."""
    raise ConfigError(f"{fault.filename} cannot be read: {fault.strerror}. Give what may be read.") from None


def _kind(file: Path, top: Path) -> Literal["file", "hidden", "links", "special"]:
    if file.name.startswith("."):
        return "hidden"
    if file.is_symlink():
        target = file.resolve()
        if not target.is_relative_to(top) or not target.is_file():
            return "links"
        return "hidden" if any(part.startswith(".") for part in target.relative_to(top).parts) else "file"
    return "file" if file.is_file() else "special"


def _files(path: Path) -> tuple[tuple[str, Path], ...]:
    """Name and path of a file, or of each in a folder."""
    if not path.is_dir():
        return ((path.name, path),)
    folder = read_folder(path)
    if folder.links:
        log.warning("%s: %s", path, folder.summary())
    return folder.files


def _encoded(context: object) -> tuple[Kind, bytes]:
    if isinstance(context, str):
        return "text", context.encode("utf-8", "surrogatepass")
    if isinstance(context, bytes | bytearray):
        return "bytes", bytes(context)
    try:
        return "json", json_text(context, "it").encode()
    except TypeError as fault:
        kind = type(context).__name__
        raise ConfigError(
            f"context must be text, bytes, a JSON value, paths or a table, not a {kind}: {fault}."
        ) from None
