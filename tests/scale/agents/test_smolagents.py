"""smolagents over the sandbox: its executor's interface, and a whole `CodeAgent` with a scripted model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from smolagents import CodeAgent, tool
from smolagents.local_python_executor import InterpreterError
from smolagents.models import ChatMessage, MessageRole, Model

from rlm_server.headless.browser import find_browser
from rlm_server.sandbox.smolagents_executor import ContainedExecutor


@tool  # type: ignore[untyped-decorator]
def price(name: str, count: int = 1) -> int:
    """Price of a thing.

    Args:
        name: which.
        count: how many.
    """
    if name == "salt":
        raise KeyError(name)
    return 3 * count


class Scripted(Model):  # type: ignore[misc]
    """Writes one code after the other."""

    def __init__(self, *codes: str) -> None:
        super().__init__(model_id="scripted")
        self.codes = list(codes)
        self.seen: list[str] = []

    def generate(self, messages: Any, **options: Any) -> ChatMessage:
        self.seen.append(str(messages[-1].content))
        return ChatMessage(role=MessageRole.ASSISTANT, content=f"Thought: on.\n<code>\n{self.codes.pop(0)}\n</code>")


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainedExecutor]:
    find_browser()
    lease = tmp_path_factory.mktemp("files") / "lease.txt"
    lease.write_text("Ann owns the mill.")
    contained = ContainedExecutor(files=Path(lease), timeout=60)
    yield contained
    contained.cleanup()


def test_code_has_output_value_variables_and_tools(executor: ContainedExecutor) -> None:
    executor.send_variables({"n": 2, "rows": [{"a": None}]})
    executor.send_tools({"price": price})
    done = executor("total = price('milk', count=n)\nprint(context)\ntotal")
    assert (done.output, done.logs, done.is_final_answer) == (6, "Ann owns the mill.\n", False)
    assert executor("rows[0]['a'] is None, total").output == [True, 6]
    assert executor("{1}").output == "{1}"
    assert executor("x = 1").output is None


def test_an_error_is_an_interpreter_error_and_its_output_is_kept(executor: ContainedExecutor) -> None:
    executor.send_tools({"price": price})
    with pytest.raises(InterpreterError, match="KeyError") as raised:
        executor("print('before')\nprice(name='salt')")
    assert "price(name='salt')" in str(raised.value)
    assert executor.state["_print_outputs"] == "before\n"


@pytest.mark.parametrize("has_variable", [False, True])
def test_a_whole_agent(executor: ContainedExecutor, has_variable: bool) -> None:
    ending = "final_answer = total\nfinal_answer(final_answer)" if has_variable else "final_answer({'total': total})"
    model = Scripted("total = sum(price(name) for name in things)\nprint(total)", "undefined", ending)
    agent = CodeAgent(tools=[price], model=model, executor=executor, verbosity_level=0)
    result = agent.run("Sum the prices.", additional_args={"things": ["milk", "bread"]})
    assert result == (6 if has_variable else {"total": 6})
    assert any("6" in text and "Execution logs" in text for text in model.seen)
    assert any("NameError" in text for text in model.seen)
