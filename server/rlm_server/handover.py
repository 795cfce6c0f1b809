"""Handover: what a caller in Python gives to a run in the browser.

In: a context of any kind, and tools. Out: files for the page, with how it is to read them; and the functions that the
page may call back. The context goes through a file, so that its size does not matter.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rlm_core import ConfigError

Kind = Literal["files", "text", "json", "bytes", "none"]


@dataclass(frozen=True, slots=True)
class Handed:
    """Files, and what the page makes of them: `files` stay files; of the others there is one, with the value in it."""

    kind: Kind
    paths: tuple[Path, ...] = ()


@contextmanager
def handed(context: object) -> Iterator[Handed]:
    """`context` as files, for as long as the `with` block lasts.

    Args:
        context: a `Path`, several, text, bytes or any JSON value; `None` for none.

    Raises:
        ConfigError: it is none of these.
    """
    paths = _paths(context)
    if context is None or paths:
        yield Handed("files" if paths else "none", paths)
        return
    kind, data = _encoded(context)
    with tempfile.TemporaryDirectory(prefix="rlm-") as folder:
        path = Path(folder, "context")
        path.write_bytes(data)
        yield Handed(kind, (path,))


def _paths(context: object) -> tuple[Path, ...]:
    if isinstance(context, Path):
        return (context,)
    if isinstance(context, Sequence) and context and all(isinstance(item, Path) for item in context):
        return tuple(context)
    return ()


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
    """The caller's tools: what the page is told of them, and the way back to those that are functions.

    Args:
        tools: name -> a JSON value, a function, or `{"tool": either, "description": text}`.
    """

    def __init__(self, tools: Mapping[str, Any]) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, given in tools.items():
            described = isinstance(given, Mapping) and "tool" in given and set(given) <= {"tool", "description"}
            tool, description = (given["tool"], given.get("description", "")) if described else (given, "")
            function = callable(tool)
            if function:
                self._functions[name] = tool
            self.told[name] = {"tool": None if function else tool, "description": description, "function": function}

    async def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """What the function gives; one that is not asynchronous runs in a thread of its own."""
        function = self._functions[name]
        if inspect.iscoroutinefunction(function):
            return await function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)
