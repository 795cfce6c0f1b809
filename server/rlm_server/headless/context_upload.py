"""Context upload: a Python caller's context and tools, in the form that the page takes.

In: a context of any kind, and tools. Out: files for the page, with the way to read them; and the functions that the
page may call back. The context goes through a file, so that its size does not matter. A folder stands for all its
files, at any depth, as in a drop on the page.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rlm_core import ConfigError

Kind = Literal["files", "text", "json", "bytes", "none"]
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
        context: a `Path` of a file or a folder, several, text, bytes or any JSON value; `None` for none.

    Raises:
        ConfigError: it is none of these, or a folder is empty, or holds more than `MAX_FILES` files.
    """
    files = [file for path in _paths(context) for file in _files(path)]
    if context is None or files:
        yield Upload("files" if files else "none", tuple(path for _, path in files), tuple(name for name, _ in files))
        return
    kind, data = _encoded(context)
    with tempfile.TemporaryDirectory(prefix="rlm-") as folder:
        path = Path(folder, "context")
        path.write_bytes(data)
        yield Upload(kind, (path,), (path.name,))


def _paths(context: object) -> tuple[Path, ...]:
    if isinstance(context, Path):
        return (context,)
    if isinstance(context, Sequence) and context and all(isinstance(item, Path) for item in context):
        return tuple(context)
    return ()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of a file, or of each in a folder; names in it that begin with a dot are left out."""
    if not path.is_dir():
        yield path.name, path
        return
    top = path.resolve()
    count = 0
    for folder, below, names in os.walk(top):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            file = Path(folder, name)
            if not file.is_file():
                continue
            count += 1
            if count > MAX_FILES:
                message = f"the folder {path} holds more than {MAX_FILES:,} files. Give a part of it, or a zip archive."
                raise ConfigError(message)
            yield file.relative_to(top.parent).as_posix(), file
    if count == 0:
        message = f"no file is in the folder {path} (names that begin with a dot do not count). Give another."
        raise ConfigError(message)


def _encoded(context: object) -> tuple[Kind, bytes]:
    if isinstance(context, str):
        return "text", context.encode("utf-8", "surrogatepass")
    if isinstance(context, bytes | bytearray):
        return "bytes", bytes(context)
    try:
        return "json", json.dumps(context, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as fault:
        kind = type(context).__name__
        raise ConfigError(f"context must be text, bytes, a JSON value or paths, not a {kind}: {fault}.") from None


class Tools:
    """The caller's tools: their declarations for the page, and the way back to those that are functions.

    Attributes:
        declared: name -> the tool as JSON; `function` says that it is called back.

    Args:
        tools: name -> a JSON value, a function, or `{"tool": either, "description": text}`.
    """

    def __init__(self, tools: Mapping[str, Any]) -> None:
        self.declared: dict[str, dict[str, Any]] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, given in tools.items():
            described = isinstance(given, Mapping) and "tool" in given and set(given) <= {"tool", "description"}
            tool, description = (given["tool"], given.get("description", "")) if described else (given, "")
            function = callable(tool)
            if function:
                self._functions[name] = tool
            self.declared[name] = {"tool": None if function else tool, "description": description, "function": function}

    async def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The result of the function `name`; one that is not asynchronous runs in a thread."""
        function = self._functions[name]
        if inspect.iscoroutinefunction(function):
            return await function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)
