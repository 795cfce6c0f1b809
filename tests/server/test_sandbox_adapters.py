"""Adapters of the sandbox without the packages that they are for, which are played; with them: `tests/scale/agents`."""

from __future__ import annotations

import doctest
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rlm_core import ConfigError, RLMError
from rlm_server.sandbox import Execution
from rlm_server.sandbox.execution import EndExecution

PLAYED: dict[str, dict[str, Any]] = {
    "dspy.primitives.code_interpreter": {
        "CodeInterpreterError": type("CodeInterpreterError", (RuntimeError,), {}),
        "FinalOutput": type("FinalOutput", (), {"__init__": lambda self, output: setattr(self, "output", output)}),
    },
    "smolagents.local_python_executor": {
        "CodeOutput": types.SimpleNamespace,
        "InterpreterError": type("InterpreterError", (ValueError,), {}),
        "PythonExecutor": object,
    },
    "deepagents.backends.protocol": {
        "ExecuteResponse": lambda output, exit_code, truncated=False: types.SimpleNamespace(
            output=output, exit_code=exit_code, truncated=truncated
        ),
        "SandboxBackendProtocol": type("SandboxBackendProtocol", (), {}),
    },
    "deepagents.backends.state": {"StateBackend": type("StateBackend", (), {})},
}
MODULES = ("dspy_interpreter", "smolagents_executor", "deepagents_backend")


class PlayedSandbox:
    """Gives the outcomes in turn, and keeps the calls."""

    def __init__(self, *outcomes: Execution | Exception | Callable[..., Execution]) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[str, Any, Any]] = []
        self.opened = self.closed = 0

    def __enter__(self) -> PlayedSandbox:
        self.opened += 1
        return self

    def execute(self, code: str, variables: Any = None, tools: Any = None) -> Execution:
        self.calls.append((code, variables, tools))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Execution) else outcome(tools)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    base = PLAYED["dspy.primitives.code_interpreter"]
    base["CodeExecutionError"] = type("CodeExecutionError", (base["CodeInterpreterError"],), {})
    for name, members in PLAYED.items():
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:length]), types.ModuleType(".".join(parts[:length])))
        for member, value in members.items():
            setattr(sys.modules[name], member, value)
    full = [f"rlm_server.sandbox.{name}" for name in MODULES]
    for name in full:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield {short: importlib.import_module(name) for short, name in zip(MODULES, full, strict=True)}
    for name in full:
        del sys.modules[name]


def test_dspy_gets_values_output_and_faults(adapters: dict[str, Any]) -> None:
    module = adapters["dspy_interpreter"]
    interpreter = module.ContainedInterpreter()
    interpreter._sandbox = PlayedSandbox(
        Execution(stdout="a\n"),
        Execution(value="5", result=5),
        Execution(stdout="a\n", value="5", result=5),
        Execution(value="{1}"),
        Execution(error="  File ...\nSyntaxError: bad", kind="SyntaxError"),
        Execution(error="Traceback\nKeyError: 'k'", kind="KeyError", args=("k",)),
        Execution(is_ended=True, answer={"output": 1}),
        ConfigError("'a b' cannot be a variable"),
        RLMError("the browser is gone"),
    )
    assert [interpreter.execute("1", {"x": (1, {2})}) for _ in range(4)] == ["a\n", 5, "a\n5", "{1}"]
    assert interpreter._sandbox.calls[0][1] == {"x": [1, [2]]}
    with pytest.raises(SyntaxError, match="Invalid Python syntax"):
        interpreter("1")
    with pytest.raises(module.CodeExecutionError, match=r"^KeyError: \['k'\]\nTraceback"):
        interpreter("1")
    assert interpreter("1").output == {"output": 1}
    with pytest.raises(module.CodeInterpreterError, match="Invalid variable name"):
        interpreter("1")
    with pytest.raises(module.CodeInterpreterError, match="the browser is gone"):
        interpreter("1")
    with pytest.raises(module.CodeInterpreterError, match="was shut down"):
        interpreter("1")
    assert (interpreter._sandbox.opened, interpreter._sandbox.closed) == (1, 1)


def test_smolagents_gets_outputs_and_the_final_answer(adapters: dict[str, Any]) -> None:
    module = adapters["smolagents_executor"]

    def final(tools: Any) -> Execution:
        with pytest.raises(EndExecution) as ended:
            tools["final_answer"]("x", n=1)
        return Execution(stdout="log\n", is_ended=True, answer=ended.value.answer)

    executor = module.ContainedExecutor()
    executor._sandbox = PlayedSandbox(
        lambda tools: Execution(value="3", result=tools["add"](1, 2)),
        Execution(stdout="before\n", error="Traceback\nNameError: x", kind="NameError"),
        final,
    )
    executor.send_variables({"n": 1})
    executor.send_tools({"add": lambda a, b: a + b, "final_answer": lambda value, n: f"{value}{n}"})
    first = executor("add(1, 2)")
    assert (first.output, first.is_final_answer) == (3, False)
    with pytest.raises(module.InterpreterError, match="NameError"):
        executor("x")
    assert executor.state["_print_outputs"] == "before\n"
    last = executor("final_answer('x', n=1)")
    assert (last.output, last.logs, last.is_final_answer) == ("x1", "log\n", True)
    assert [variables for _, variables, _ in executor._sandbox.calls] == [{"n": 1}, {}, {}]
    executor.cleanup()
    executor.cleanup()
    assert executor._sandbox.closed == 1


def test_deepagents_gets_responses_files_and_a_word_on_shells(adapters: dict[str, Any]) -> None:
    module = adapters["deepagents_backend"]

    def files(tools: Any) -> Execution:
        tools["_keep_files"]({"/a.md": {"content": "A"}})
        return Execution()

    backend = module.ContainedBackend()
    backend._sandbox = PlayedSandbox(
        Execution(stdout="a", stdout_chars=5, value="5"),
        Execution(error="Traceback\nOSError: no", kind="OSError"),
        files,
        Execution(error="Traceback\nOSError: no", kind="OSError"),
    )
    done = backend.execute("python -c 'print(1)'")
    assert (done.output, done.exit_code, done.truncated) == ("a\n5\n", 0, True)
    assert backend._sandbox.calls[0][0] == "print(1)"
    assert backend.execute("1 / 0").exit_code == 1
    assert backend.execute("cat /etc/passwd").exit_code == 127
    assert backend._read_files() == {"/a.md": {"content": "A"}}
    with pytest.raises(OSError, match="OSError: no"):
        backend._send_files_update({"/a.md": None})
    assert backend.id.startswith("contained-")
    assert doctest.testmod(module).failed == 0
