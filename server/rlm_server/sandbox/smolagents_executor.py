"""smolagents executor: the sandbox as a `PythonExecutor`, for `CodeAgent(..., executor=ContainedExecutor())`.

In: the agent's code, its tools and its variables. Out: `CodeOutput`. Tools run in this process, `final_answer` and
managed agents too, called from the contained code with JSON arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smolagents.local_python_executor import CodeOutput, InterpreterError, PythonExecutor

from .blocking import BlockingSandbox
from .execution import EndExecution

FINAL = "final_answer"


class ContainedExecutor(PythonExecutor):  # type: ignore[misc]  # unknown where its package is not installed
    """A `PythonExecutor` whose code runs in the contained worker, started with the first code.

    Args:
        options: arguments of `Sandbox`: `files`, `timeout`, `max_output_chars`, `packages`.

    Attributes:
        state: `_print_outputs`, the output of the last code, which the agent shows after an error.
    """

    def __init__(self, **options: Any) -> None:
        self.state: dict[str, Any] = {"_print_outputs": ""}
        self._sandbox = BlockingSandbox(**options)
        self._is_open = False
        self._tools: dict[str, Callable[..., Any]] = {}
        self._variables: dict[str, Any] = {}

    def send_tools(self, tools: dict[str, Any]) -> None:
        """Have the code find these, and no earlier ones."""
        self._tools = {name: _final(tool) if name == FINAL else _called(tool) for name, tool in tools.items()}

    def send_variables(self, variables: dict[str, Any]) -> None:
        """Bind these before the next code; a value that is not JSON is refused by then."""
        self._variables.update(variables)

    def __call__(self, code_action: str) -> CodeOutput:
        """Run code; its error is an `InterpreterError` with its traceback."""
        if not self._is_open:
            self._sandbox.__enter__()
            self._is_open = True
        variables, self._variables = self._variables, {}
        done = self._sandbox.execute(code_action, variables, self._tools)
        self.state["_print_outputs"] = done.stdout
        if done.error is not None:
            raise InterpreterError(f"Code execution failed: {done.kind}\n{done.error}")
        if done.is_ended:
            return CodeOutput(output=done.answer, logs=done.stdout, is_final_answer=True)
        output = done.value if done.result is None else done.result
        return CodeOutput(output=output, logs=done.stdout, is_final_answer=False)

    def cleanup(self) -> None:
        """End the browser."""
        if self._is_open:
            self._is_open = False
            self._sandbox.close()


def _called(tool: Callable[..., Any]) -> Callable[..., Any]:
    """`tool` as a function, with its description; a result that is not JSON is refused in the code."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return tool(*args, **kwargs)

    call.__doc__ = getattr(tool, "description", tool.__doc__)
    return call


def _final(tool: Callable[..., Any]) -> Callable[..., Any]:
    """The tool that gives the final answer: the code ends with it."""

    def call(*args: Any, **kwargs: Any) -> None:
        raise EndExecution(tool(*args, **kwargs))

    call.__doc__ = getattr(tool, "description", tool.__doc__)
    return call
