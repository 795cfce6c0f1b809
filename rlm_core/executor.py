"""Executor: code of another program, step by step, in a namespace without the names of a run.

In: one function of the host, by which a step is fetched, its tools are called and its outcome is reported; values pass
as JSON text, which knows NaN and infinity here. Out: a word for the block of the run that the step is. That block's
REPL keeps the output, and ends a step whose time is up.
"""

from __future__ import annotations

import builtins
import gzip
import json
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .block_source import register
from .errors import BlockTimedOut, RunStopped, StopRun, ToolError
from .evaluation import Evaluator
from .tracebacks import render
from .value_text import shown

MAX_RESULT_CHARS = 4_000_000
"""Most characters of a value as JSON; a longer one is reported as its `repr` alone."""


class _StepEnded(BaseException):
    """End the step now: a tool of the host said so."""


class Executor:
    """A namespace that lives from step to step.

    Args:
        host: `host("next")` is the next step, `host("call", name, arguments)` a call of a tool, and
            `host("done", outcome)` the end of the step.
        names: bound in the namespace from the beginning.
    """

    def __init__(self, host: Callable[..., Any], names: Mapping[str, object]) -> None:
        self._host = host
        self._module = types.ModuleType("__main__")
        self._module.__dict__.update(names)
        self._evaluator = Evaluator(self._module.__dict__)
        self._values: dict[str, str | Path] = {}
        self._steps = 0

    def step(self, files: object = None) -> str:
        """Run the next step of the host, and report how it went.

        Args:
            files: path of a file with a large variable, or several by name.
        """
        step = self._host("next")
        self._steps += 1
        filename = f"<code {self._steps}>"
        register(self._module, filename, step["code"])
        self._bind(step, {files.name: files} if isinstance(files, Path) else files)
        sys.modules["__main__"] = self._module  # the block's REPL puts its own back
        self._host("done", self._outcome(step["code"], filename, step["max_chars"]))
        return f"step {self._steps}"

    def _bind(self, step: Mapping[str, Any], files: Any) -> None:
        """Bind variables and tools; a variable that was bound before with the same value comes by its digest alone."""
        namespace = self._evaluator.namespace
        namespace.update(__name__="__main__", __builtins__=builtins)
        for variable in step["variables"]:
            digest = variable["digest"]
            if "file" in variable:
                self._values[digest] = files[variable["file"]]
            elif "json" in variable:
                self._values[digest] = variable["json"]
            namespace[variable["name"]] = json.loads(_json_text(self._values[digest]))
        for tool in step["tools"]:
            namespace[tool["name"]] = self._tool(tool["name"], tool["description"])

    def _outcome(self, code: str, filename: str, max_chars: int) -> dict[str, object]:
        try:
            value = self._evaluator.evaluate(code, filename)
            return {} if value is None else {"value": shown(value, max_chars), "json": _as_json(value)}
        except _StepEnded:
            return {}
        except (BlockTimedOut, RunStopped, StopRun):
            raise
        except BaseException as fault:  # noqa: BLE001 - a fault of the code is its outcome
            return {"error": render(fault, max_chars=max_chars), "kind": type(fault).__name__, "args": _args(fault)}

    def _tool(self, name: str, description: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            try:
                text = json.dumps([args, kwargs])
            except (TypeError, ValueError, RecursionError) as fault:
                takes = "takes JSON values: text, numbers, booleans, None, lists, dicts"
                raise TypeError(f"{name}(...) {takes}; {fault}.") from None
            answer = self._host("call", name, text)
            if answer.get("ends"):
                raise _StepEnded
            if "error" in answer:
                raise _fault(name, answer["error"], answer["kind"])
            return json.loads(answer["result"])

        call.__name__ = call.__qualname__ = name
        call.__doc__ = description
        return call


def _fault(name: str, message: str, kind: str) -> Exception:
    """The host's exception: of the same class where Python has it and a message makes one, else a `ToolError`."""
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(message)
        except TypeError:  # UnicodeDecodeError takes five arguments
            pass
    return ToolError(f"{name}: {kind}: {message}")


def _json_text(value: str | Path) -> str:
    return value if isinstance(value, str) else gzip.decompress(value.read_bytes()).decode("ascii")


def _as_json(value: object) -> str | None:
    """`value` as JSON text, `None` where it is not JSON or too long."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= MAX_RESULT_CHARS else None


def _args(fault: BaseException) -> str | None:
    """The arguments of an exception as JSON text."""
    return _as_json(list(fault.args))
