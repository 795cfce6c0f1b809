"""Host half: the steps of a sandbox, and its tools, which run in this process.

In: code, variables and tools of the next step; then the calls of `rlm_core/executor.py`, from the contained worker.
Out: the step, the results of tools, and the outcome that was reported. The contained half is untrusted: a tool is
called by a name of the step, with JSON arguments, and nothing else of this process is reached.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import keyword
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rlm_core import ConfigError

from ..headless.python_tools import awaited, json_text
from .execution import EndExecution

Functions = Mapping[str, Callable[..., Any]]
NAME = "host_call"
"""The tool of the session by which the contained half calls."""
START = f"""from rlm_core.executor import Executor
_names = ("context", "read", "read_parts", "tables", "page_image")
_executor = Executor({NAME}, {{name: globals()[name] for name in _names if name in globals()}})
FINAL("ready")"""
STEP = "FINAL(_executor.step())"
STEP_WITH_FILES = "FINAL(_executor.step(context))"
INLINE_CHARS = 100_000
"""Most characters of a variable as JSON that passes as a message; a longer one is a file of the step."""


_INSIDE: ContextVar[tuple[object, ...]] = ContextVar("inside", default=())
"""Sandboxes whose tools the current task, or its thread, is at work for."""


@contextmanager
def inside(half: HostHalf) -> Iterator[None]:
    """Mark the calls of the block as those of a tool of `half`."""
    token = _INSIDE.set((*_INSIDE.get(), half))
    try:
        yield
    finally:
        _INSIDE.reset(token)


class HostHalf:
    """The host's half of one sandbox.

    Args:
        folder: for files of large variables, as long as the sandbox lives.

    Attributes:
        outcome: of the step, as reported; `None` before its end.
        ended: the word of a tool that ended the step.
    """

    def __init__(self, max_chars: int, folder: Path) -> None:
        self.outcome: dict[str, Any] | None = None
        self.ended: EndExecution | None = None
        self._max_chars = max_chars
        self._folder = folder
        self._step: dict[str, Any] | None = None
        self._functions: Functions = {}
        self._sent: set[str] = set()

    def check_outside(self) -> None:
        """Refuse a step from one of the tools of the step that is at work.

        Raises:
            ConfigError: it would wait for itself.
        """
        if self in _INSIDE.get():
            raise ConfigError("a tool cannot execute code in its own sandbox, which waits for it: use another sandbox.")

    def begin(self, code: str, variables: Mapping[str, Any], functions: Functions) -> tuple[Path, ...]:
        """Take the next step; the files that it needs are returned.

        Raises:
            ConfigError: a name cannot be one of Python, a variable is not JSON, or a tool cannot be called.
        """
        for name in [*variables, *functions]:
            if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
                raise ConfigError(f"{name!r} cannot be a variable of Python: choose another name.")
        for name, function in functions.items():
            if not callable(function):
                raise ConfigError(f"the tool {name!r} is no function. Pass a value among the variables.")
        texts = [(name, _text(name, value)) for name, value in variables.items()]
        described = [{"name": name, "description": function.__doc__ or ""} for name, function in functions.items()]
        self.outcome, self.ended, self._functions = None, None, functions
        sent = [self._variable(name, text) for name, text in texts]
        self._step = {"code": code, "variables": sent, "tools": described, "max_chars": self._max_chars}
        return tuple(self._folder / variable["file"] for variable in sent if "file" in variable)

    def forget(self) -> None:
        """The contained half may have lost texts of variables: the next step sends each again."""
        self._sent.clear()

    async def call(self, kind: str, *args: Any) -> Any:
        """Answer a call of the contained half."""
        if kind == "next" and self._step is not None:
            step, self._step = self._step, None
            return step
        if kind == "done" and self.outcome is None and len(args) == 1 and isinstance(args[0], dict):
            self.outcome = args[0]
            return None
        if kind == "call" and len(args) == 2 and self.outcome is None:
            return await self._called(*args)
        raise ValueError(f"the sandbox has no {kind!r} to answer now.")

    def _variable(self, name: str, text: str) -> dict[str, str]:
        digest = hashlib.sha256(text.encode()).hexdigest()
        variable = {"name": name, "digest": digest}
        if digest in self._sent:
            return variable
        self._sent.add(digest)
        if len(text) <= INLINE_CHARS:
            return {**variable, "json": text}
        file = f"{digest}.gz"
        (self._folder / file).write_bytes(gzip.compress(text.encode(), compresslevel=1))
        return {**variable, "file": file}

    async def _called(self, name: str, arguments: str) -> dict[str, Any]:
        function = self._functions.get(name)
        if function is None:
            return {"error": f"there is no tool {name!r} now.", "kind": "NameError"}
        args, kwargs = json.loads(arguments)
        try:
            with inside(self):
                text = json_text(await awaited(function, *args, **kwargs), f"the result of {name}", allow_nan=True)
        except EndExecution as end:
            self.ended = self.ended or end
            return {"ends": True}
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; the code gets it
            return {"error": _message(fault), "kind": type(fault).__name__}
        return {"result": text}


def _message(fault: Exception) -> str:
    """The argument of an exception that has one text alone, which makes the same exception again."""
    is_text = len(fault.args) == 1 and isinstance(fault.args[0], str)
    return str(fault.args[0]) if is_text else str(fault)


def _text(name: str, value: object) -> str:
    try:
        return json_text(value, f"the variable {name!r}", allow_nan=True)
    except TypeError as fault:
        raise ConfigError(f"{fault}. Variables are text, numbers, booleans, None, lists and dicts.") from None
