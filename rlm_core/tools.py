"""Tools: the caller's values and functions in the REPL, beside the context.

In: a `Tool`. Out: the value bound under its name: a copy of the value, or a function that calls the caller's with
JSON arguments and gives its result as JSON. Names are checked in `job.py`; nothing here knows where the function runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any, TypeAlias, cast

from .errors import ChannelError, ConfigError, ToolError
from .events import Emit, ToolCalled
from .types import Json, Tool

Tools: TypeAlias = Mapping[str, Any] | Sequence[Tool]
Calling: TypeAlias = Callable[[], AbstractContextManager[object]]


def tools_of(tools: Tools) -> tuple[Tool, ...]:
    """The tools of a caller, who may give them as the headless front ends take them.

    Args:
        tools: `Tool`s; or name -> a JSON value, a function, or `{"tool": either, "description": text}`.

    Raises:
        ConfigError: a function is a coroutine function, which nothing here could await.

    >>> tools_of({"limit": 5, "add": {"tool": max, "description": "the larger one"}})[1].description
    'the larger one'
    """
    named = [_named(*entry) for entry in tools.items()] if isinstance(tools, Mapping) else list(tools)
    for tool in named:
        if iscoroutinefunction(tool.value):
            name = tool.name
            remedy = "Wrap it in a function that runs it to its end, such as one with asyncio.run"
            raise ConfigError(f"tool {name!r} is a coroutine function, and this run is synchronous. {remedy}.")
    return tuple(named)


def _named(name: str, value: Any) -> Tool:
    if isinstance(value, Mapping) and "tool" in value and set(value) <= {"tool", "description"}:
        return Tool(name, value["tool"], value.get("description", ""))
    return Tool(name, value)


def bound(tool: Tool, calling: Calling = nullcontext) -> object:
    """The value that model code finds under `tool.name`.

    Args:
        tool: a value or a function.
        calling: entered around each call of the function; raises when the run is over.

    >>> bound(Tool("add", lambda a, b=1: a + b))(2, b=3)
    5
    """
    if not callable(tool.value):
        return value_of(tool)
    return _caller(tool, tool.value, calling)


def recorded_tool(tool: Tool, emit: Emit) -> Tool:
    """`tool`, with an event for each call of its function, where it runs in this process."""
    if not callable(tool.value):
        return tool
    function = tool.value

    def call(*args: Json, **kwargs: Json) -> object:
        try:
            result = function(*args, **kwargs)
        except Exception as fault:
            emit(ToolCalled(name=tool.name, args=args, kwargs=kwargs, error=str(fault)))
            raise
        emit(ToolCalled(name=tool.name, args=args, kwargs=kwargs, result=_json_or_none(result)))
        return result

    return replace(tool, value=call)


def _json_or_none(result: object) -> Json:
    try:
        return cast(Json, json.loads(json.dumps(result, allow_nan=False)))
    except (TypeError, ValueError, RecursionError):
        return None


def value_of(tool: Tool) -> object:
    """The tool's value as model code gets it: its own copy, as JSON gives it."""
    try:
        return json.loads(json.dumps(tool.value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"tool {tool.name!r}: the value is not JSON: {error}.") from None


def _caller(tool: Tool, function: Callable[..., object], calling: Calling) -> Callable[..., object]:
    name = tool.name

    def call(*args: object, **kwargs: object) -> object:
        json_args, json_kwargs = _arguments(name, args, kwargs)
        with calling():
            result, failure = _outcome(function, json_args, json_kwargs)
        if failure is not None:
            raise ToolError(f"{name}: {failure}")
        return _result(name, result)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = tool.description
    return call


def _outcome(
    function: Callable[..., object], args: list[object], kwargs: dict[str, object]
) -> tuple[object, Exception | None]:
    try:
        return function(*args, **kwargs), None
    except ChannelError:
        raise
    except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; model code gets a ToolError
        return None, fault


def _arguments(name: str, args: object, kwargs: object) -> tuple[list[object], dict[str, object]]:
    """The arguments as JSON carries them, so that a tool never gets hold of an object of model code."""
    try:
        values = json.loads(json.dumps([args, kwargs], allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"{name}(...) takes JSON values: text, numbers, booleans, None, lists, dicts; {error}."
        ) from None
    return values[0], values[1]


def _result(name: str, result: object) -> object:
    try:
        return json.loads(json.dumps(result, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"{name}: its result is not JSON: {error}.") from None
