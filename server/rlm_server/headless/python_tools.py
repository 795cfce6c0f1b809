"""Python tools: values and functions of this process that model code uses in the browser.

In: name -> a JSON value, a function or a coroutine function, with a description or without. Out: their declarations
for the page, where values are JSON text and functions are numbers; and a call, arguments and result as JSON text, so
that no number changes on the way.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from rlm_core import ConfigError

Declared = dict[str, dict[str, object]]


class Tools:
    """The tools of a run, and those of its children.

    Attributes:
        declared: `tools` and `sub_tools` as the page takes them; `None` where there are none of their own.
    """

    def __init__(self, tools: Mapping[str, Any], sub_tools: Mapping[str, Any] | None = None) -> None:
        self._functions: list[Callable[..., Any]] = []
        self.declared: dict[str, Declared | None] = {
            "tools": self._declare(tools) if tools else None,
            "sub_tools": None if sub_tools is None else self._declare(sub_tools),
        }

    async def call(self, number: int, arguments: str) -> str:
        """Call a function with `{"args": [...], "kwargs": {...}}`; one that is not asynchronous runs in a thread.

        Raises:
            TypeError: its result is not JSON.
            Exception: whatever the function raises.
        """
        passed = json.loads(arguments)
        return json_text(await awaited(self._functions[number], *passed["args"], **passed["kwargs"]), "its result")

    def _declare(self, tools: Mapping[str, Any]) -> Declared:
        return {name: self._declaration(name, value) for name, value in tools.items()}

    def _declaration(self, name: str, value: Any) -> dict[str, object]:
        described = isinstance(value, Mapping) and "tool" in value and set(value) <= {"tool", "description"}
        tool, description = (value["tool"], value.get("description", "")) if described else (value, "")
        if callable(tool):
            self._functions.append(tool)
            return {"json": None, "description": description, "function": len(self._functions) - 1}
        try:
            text = json_text(tool, f"tool {name!r}")
        except TypeError as fault:
            raise ConfigError(f"{fault}.") from None
        return {"json": text, "description": description, "function": None}


def json_text(value: object, name: str, *, allow_nan: bool = False) -> str:
    """`value` as ASCII JSON text; with `allow_nan` for a reader in Python, which knows NaN and infinity.

    Raises:
        TypeError: it is not JSON; the message says where.
    """
    try:
        text = json.dumps(value, allow_nan=allow_nan)
        _check_keys(value)
    except (TypeError, ValueError, RecursionError) as fault:
        raise TypeError(f"{name} is not JSON: {fault}") from None
    return text


def _check_keys(value: object) -> None:
    """Refuse keys that JSON would turn into text: `{1: "a"}` would arrive as `{"1": "a"}`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)


async def awaited(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of `function`: a coroutine function runs in the loop, any other one in a thread.

    Raises:
        RuntimeError: it raised `SystemExit`, which would end the event loop, and all that waits on it.
        Exception: whatever else it raises.
    """
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*args, **kwargs)
        result = await in_thread(function, *args, **kwargs)
        return await result if inspect.isawaitable(result) else result
    except SystemExit as fault:
        raise RuntimeError(f"SystemExit: {fault}") from fault


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of `function`, called in a daemon thread: one that never returns does not keep the program alive."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, fault: BaseException | None) -> None:
        if outcome.done():
            return
        if fault is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(fault)

    def work() -> None:
        result: Any = None
        fault: BaseException | None = None
        try:
            result = context.run(function, *args, **kwargs)
        except StopIteration as raised:  # a future refuses it
            fault = RuntimeError(f"StopIteration: {raised}")
        except BaseException as raised:  # noqa: BLE001 - it is raised in the loop, where it is awaited
            fault = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=work, daemon=True, name="rlm-callback").start()
    return await outcome
