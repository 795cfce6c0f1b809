"""dspy interpreter: the sandbox as a `CodeInterpreter` of dspy, for `dspy.RLM(..., interpreter_factory=...)`.

In: code and variables of a dspy module; its tools are functions of this process. Out: output, value or `FinalOutput`.
Errors are dspy's: a fault of the code is a `CodeExecutionError` or a `SyntaxError`; any other ends the interpreter.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreterError, FinalOutput
from pydantic_core import PydanticSerializationError, to_jsonable_python

from rlm_core import ConfigError, RLMError

from ..headless.python_tools import awaited
from .blocking import BlockingSandbox
from .execution import EndExecution, Execution


class ContainedInterpreter:
    """A `CodeInterpreter` whose code runs in the contained worker.

    Args:
        tools: name -> function or coroutine function of this process.
        output_fields: fields of `SUBMIT`, each a dict with its `name`; dspy sets them.
        options: arguments of `Sandbox`: `files`, `timeout`, `max_output_chars`, `packages`.

    >>> dspy.RLM("context, question -> answer", interpreter_factory=ContainedInterpreter)  # doctest: +SKIP
    """

    execution_instructions = (
        "Python 3.14 runs in Pyodide/WebAssembly with the standard library. State persists across executions. There is "
        "no network, no subprocess, no thread, and no file of the host; `await` does not stand outside of a function."
    )

    def __init__(
        self,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        output_fields: list[dict[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        self.tools: dict[str, Callable[..., Any]] = dict(tools or {})
        self.output_fields = output_fields
        self._sandbox = BlockingSandbox(**options)
        self._is_open = False
        self._is_over = False

    def __enter__(self) -> ContainedInterpreter:
        return self

    def __exit__(self, *fault: object) -> None:
        self.shutdown()

    def __call__(self, code: str, variables: dict[str, Any] | None = None) -> Any:
        return self.execute(code, variables)

    def start(self) -> None:
        """Start the browser, unless it is there."""
        if self._is_over:
            raise CodeInterpreterError("The interpreter was shut down: create a new one for a fresh session.")
        if not self._is_open:
            try:
                self._sandbox.__enter__()
            except RLMError as fault:
                raise CodeInterpreterError(str(fault)) from fault
            self._is_open = True

    def execute(self, code: str, variables: dict[str, Any] | None = None) -> Any:
        """As dspy's protocol has it: `FinalOutput`, the last value, or the output."""
        self.start()
        named = {name: _json(f"variable {name!r}", value) for name, value in (variables or {}).items()}
        tools = {name: _tool(name, function) for name, function in self.tools.items()}
        try:
            done = self._sandbox.execute(code, named, {"SUBMIT": self._submit, **tools})
        except ConfigError as fault:
            raise CodeInterpreterError(f"Invalid variable name or value: {fault}") from fault
        except RLMError as fault:
            self.shutdown()
            raise CodeInterpreterError(str(fault)) from fault
        if done.is_ended:
            return FinalOutput(done.answer)
        if done.kind == "SyntaxError":
            raise SyntaxError(f"Invalid Python syntax. message: {done.error}")
        if done.error is not None:
            raise CodeExecutionError(f"{_summary(done)}\n{done.error}")
        if done.value is None:
            return done.stdout
        return f"{done.stdout}{done.value}" if done.stdout else done.value if done.result is None else done.result

    def shutdown(self) -> None:
        """End the browser; the interpreter is of no use afterwards."""
        self._is_over = True
        if self._is_open:
            self._is_open = False
            self._sandbox.close()

    def _submit(self, *args: Any, **kwargs: Any) -> None:
        names = [field["name"] for field in self.output_fields or [{"name": "output"}]]
        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        raise EndExecution(dict(inspect.Signature(parameters).bind(*args, **kwargs).arguments))


def _summary(done: Execution) -> str:
    last = (done.error or "").splitlines()[-1:]
    return f"{done.kind}: {list(done.args)}" if done.args else f"{done.kind}: {''.join(last)}"


def _tool(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with the arguments by name, as tools of dspy take them, and a result that is JSON."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        signature = None

    async def call(*args: Any, **kwargs: Any) -> Any:
        named = kwargs if signature is None or not args else signature.bind(*args, **kwargs).arguments
        try:
            result = await awaited(function, **named)
        except Exception as fault:
            raise RuntimeError(f"{type(fault).__name__}: {fault}") from fault  # the class that dspy's own tools raise
        try:
            return _json(f"result of {name}", result)
        except CodeInterpreterError:
            return str(result)

    call.__doc__ = function.__doc__
    return call


def _json(name: str, value: Any) -> Any:
    """`value` as JSON has it: a model, a dataclass, a date or a set in the form that it has in a JSON body."""
    try:
        return to_jsonable_python(_named_fields(value))
    except (PydanticSerializationError, ValueError) as fault:
        raise CodeInterpreterError(f"Unsupported value type of the {name}: {fault}") from None


def _named_fields(value: Any) -> Any:
    """`value`, with its named tuples and dataclasses as dicts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _named_fields(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _named_fields(value._asdict())
    if isinstance(value, dict):
        return {key: _named_fields(item) for key, item in value.items()}
    return [_named_fields(item) for item in value] if isinstance(value, list | tuple) else value
