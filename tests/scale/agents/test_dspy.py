"""dspy over the sandbox: its protocol, the cases of its own interpreter's tests, and a whole `dspy.RLM`."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dspy
import pydantic
import pytest
from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreter, CodeInterpreterError, FinalOutput
from dspy.utils.dummies import DummyLM

from rlm_server.headless.browser import find_browser
from rlm_server.sandbox.dspy_interpreter import ContainedInterpreter

LARGE = "abcé" * 2_000_000


class Hit(pydantic.BaseModel):
    """A model of pydantic."""

    id: int
    title: str


class Pair(NamedTuple):
    """A named tuple."""

    first: int
    second: str


@dataclasses.dataclass
class Owner:
    """A dataclass, with another in it."""

    name: str
    hits: list[Pair]


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"


@pytest.fixture(scope="module")
def shared() -> Iterator[ContainedInterpreter]:
    find_browser()
    with ContainedInterpreter(timeout=60) as interpreter:
        yield interpreter


@pytest.fixture
def interpreter(shared: ContainedInterpreter) -> ContainedInterpreter:
    shared.tools.clear()
    shared.output_fields = None
    return shared


VALUES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "output": ("print('Hello, World!')", {}, "Hello, World!\n"),
    "a library": ("import math\nresult = math.sqrt(4)\nresult", {}, 2),
    "a variable": ("result = number + 1\nresult", {"number": 4}, 5),
    "a variable named as a name of a run": ("context + answer", {"context": "a", "answer": "b"}, "ab"),
    "infinity": ("1 if x == float('inf') else 0", {"x": math.inf}, 1),
    "minus infinity": ("1 if x == float('-inf') else 0", {"x": -math.inf}, 1),
    "not a number": ("import math\n1 if math.isnan(x) else 0", {"x": math.nan}, 1),
    "a tuple": ("x", {"x": (1, 2, 3)}, [1, 2, 3]),
    "a set": ("sorted(x)", {"x": {3, 1, 2}}, [1, 2, 3]),
    "a mixed set": ("len(x)", {"x": {1, "a"}}, 2),
    "nested": ("x['s'][0][1], x['t'][1]", {"x": {"s": [(1, 2)], "t": ({1}, (3,))}}, [2, [3]]),
    "a model": ("hit['id']", {"hit": Hit(id=7, title="abc")}, 7),
    "models in a list": ("sum(h['id'] for h in hits)", {"hits": [Hit(id=1, title="a"), Hit(id=2, title="b")]}, 3),
    "a date and an enumeration": (
        "x",
        {"x": {"t": datetime.datetime(2026, 1, 1), "c": Colour.RED}},
        {"t": "2026-01-01T00:00:00", "c": "red"},
    ),
    "a large text": ("(len(text), text[0], text[-1])", {"text": LARGE}, [8_000_000, "a", "é"]),
    "large ones and a small one": ("len(a) + len(b) + n", {"a": LARGE, "b": LARGE[1:], "n": 1}, 16_000_000),
    "a large list": ("len(rows), rows[-1]", {"rows": list(range(200_000))}, [200_000, 199_999]),
    "nothing": ("x = 1", {}, ""),
}


@pytest.mark.parametrize(("code", "variables", "result"), VALUES.values(), ids=VALUES)
def test_values(interpreter: ContainedInterpreter, code: str, variables: dict[str, Any], result: Any) -> None:
    assert interpreter.execute(code, variables=variables) == result


FAILURES: dict[str, tuple[str, type[Exception], str]] = {
    "syntax": ("+++", SyntaxError, "Invalid Python syntax"),
    "division": ("1+0/0", CodeExecutionError, "ZeroDivisionError"),
    "arguments": ("raise ValueError(4711)", CodeExecutionError, r"ValueError: \[4711\]"),
    "a name of dspy": (
        "class CodeInterpreterError(Exception): pass\nraise CodeInterpreterError('x')",
        CodeExecutionError,
        "x",
    ),
    "exit": ("import sys\nsys.exit(0)", CodeExecutionError, "SystemExit"),
    "interrupt": ("raise KeyboardInterrupt('stop')", CodeExecutionError, "KeyboardInterrupt"),
    "own exit": ("class Exit(SystemExit): pass\nraise Exit(0)", CodeExecutionError, "Exit"),
    "own interrupt": ("class Stop(KeyboardInterrupt): pass\nraise Stop()", CodeExecutionError, "Stop"),
}


@pytest.mark.parametrize(("code", "kind", "said"), FAILURES.values(), ids=FAILURES)
def test_faults_of_the_code_leave_the_interpreter(
    interpreter: ContainedInterpreter, code: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as raised:
        interpreter.execute(code)
    assert type(raised.value) is kind
    assert interpreter.execute("print('still alive')") == "still alive\n"


@pytest.mark.parametrize("name", ["for", "class", "import", "a b"])
def test_a_variable_that_python_cannot_have_is_refused(interpreter: ContainedInterpreter, name: str) -> None:
    with pytest.raises(CodeInterpreterError, match="Invalid variable name"):
        interpreter.execute("1", variables={name: 42})
    with pytest.raises(CodeInterpreterError, match="Unsupported value type"):
        interpreter.execute("1", variables={"x": object()})


class Plain:
    def __str__(self) -> str:
        return "plain text"


RESULTS: dict[str, tuple[Any, Any]] = {
    "a number": (4, 4),
    "a fraction": (0.95, 0.95),
    "a truth": (True, True),
    "nothing": (None, None),  # dspy's own gives "", as JavaScript stands between
    "a list": ([1, [2]], [1, [2]]),
    "a dict": ({"count": 4}, {"count": 4}),
    "infinity": (math.inf, math.inf),  # dspy's own gives its text
    "an object": (Plain(), "plain text"),
    "a model": (Hit(id=1, title="a"), {"id": 1, "title": "a"}),
    "models": ([Hit(id=1, title="a")], [{"id": 1, "title": "a"}]),
    "a named tuple": (Pair(1, "b"), {"first": 1, "second": "b"}),
    "a dataclass": (Owner("Ann", [Pair(1, "b")]), {"name": "Ann", "hits": [{"first": 1, "second": "b"}]}),
}


@pytest.mark.parametrize(("given", "arrived"), RESULTS.values(), ids=RESULTS)
def test_results_of_tools(interpreter: ContainedInterpreter, given: Any, arrived: Any) -> None:
    interpreter.tools["get"] = lambda: given
    assert interpreter.execute("v = get()\n[v, type(v).__name__]") == [arrived, type(arrived).__name__]


def test_arguments_of_tools(interpreter: ContainedInterpreter) -> None:
    def search(query: str, limit: int = 10) -> str:
        return f"{query}, {limit}"

    async def slow(*, query: str) -> str:
        return f"slow {query}"

    def by_name(**kwargs: Any) -> Any:
        return search(**kwargs)

    by_name.__signature__ = __import__("inspect").signature(search)  # type: ignore[attr-defined]  # as dspy.RLM wraps
    interpreter.tools.update(search=search, slow=slow, by_name=by_name)
    by_position = "search('a'), search('a', 5), by_name('a', 7)"
    calls = f"{by_position}, search(query='a', limit=5), search('a', limit=5), slow(query='b')"
    assert interpreter.execute(calls) == ["a, 10", "a, 5", "a, 7", "a, 5", "a, 5", "slow b"]
    with pytest.raises(CodeExecutionError, match="missing 1 required"):
        interpreter.execute("search()")


def test_faults_of_tools_are_runtime_errors(interpreter: ContainedInterpreter) -> None:
    def failing(x: int) -> None:
        raise ValueError(f"bad value: {x}")

    async def failing_later(x: int) -> None:
        raise ValueError(f"boom: {x}")

    interpreter.tools.update(failing=failing, failing_later=failing_later)
    for name, said in (("failing", "bad value: 42"), ("failing_later", "boom: 42")):
        code = f"try:\n    {name}(42)\nexcept RuntimeError as fault:\n    said = str(fault)\nsaid"
        assert interpreter.execute(code) == f"ValueError: {said}"


def test_submit(interpreter: ContainedInterpreter) -> None:
    assert interpreter("SUBMIT(['The result is', 3])") == FinalOutput({"output": ["The result is", 3]})
    interpreter.output_fields = [{"name": "answer", "type": "str"}, {"name": "score", "type": "int"}]
    for code in ("SUBMIT('a', 42)", "SUBMIT(answer='a', score=42)", "SUBMIT('a', score=42)"):
        assert interpreter.execute(code) == FinalOutput({"answer": "a", "score": 42})
    with pytest.raises(CodeInterpreterError, match="missing a required argument: 'score'"):
        interpreter.execute("x = 1; SUBMIT(x)")
    interpreter.output_fields = [{"name": "nothing", "type": "NoneType"}]
    assert interpreter.execute("SUBMIT(nothing=None)") == FinalOutput({"nothing": None})


def test_the_host_is_out_of_reach(
    interpreter: ContainedInterpreter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOO_TEST_ENV", "secret")
    (tmp_path / "secret.txt").write_text("secret")
    assert interpreter.execute("import os\nos.getenv('FOO_TEST_ENV', '')") == ""
    for code in (
        f"open({str(tmp_path / 'secret.txt')!r})",
        "import js\njs.Deno",
        "import js\njs.fetch('https://example.com')",
        "import urllib.request\nurllib.request.urlopen('https://example.com')",
    ):
        with pytest.raises(CodeExecutionError):
            interpreter.execute(code)


def test_a_tool_cannot_reenter_the_interpreter(interpreter: ContainedInterpreter) -> None:
    interpreter.tools["nested"] = lambda: interpreter.execute("'nested'")
    with pytest.raises(CodeExecutionError, match="cannot execute code in its own sandbox"):
        interpreter.execute("nested()")
    assert interpreter.execute("40 + 2") == 42


def test_the_protocol_and_its_lifecycle(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    tools: dict[str, Callable[..., Any]] = {"one": lambda: 1}
    interpreter = ContainedInterpreter(tools, files=tmp_path / "a.txt", timeout=2)
    tools["two"] = lambda: 2
    assert isinstance(interpreter, CodeInterpreter)
    assert list(interpreter.tools) == ["one"]
    interpreter.start()
    interpreter.start()
    assert interpreter.execute("open('/context/a.txt').read(), context") == ["content", "content"]
    with pytest.raises(CodeExecutionError, match="TimeoutError"):
        interpreter.execute("n = 1\nwhile True: pass")
    assert interpreter.execute("n") == 1
    interpreter.shutdown()
    interpreter.shutdown()
    for use in (interpreter.start, lambda: interpreter.execute("1")):
        with pytest.raises(CodeInterpreterError, match="was shut down"):
            use()


def scripted(*steps: tuple[str, str]) -> DummyLM:
    return DummyLM([{"reasoning": reasoning, "code": f"```python\n{code}\n```"} for reasoning, code in steps])


@pytest.mark.parametrize("is_async", [False, True])
def test_a_whole_rlm(is_async: bool) -> None:
    def price(name: str, currency: str = "SEK") -> str:
        """Price of a thing."""
        return f"4 {currency}"

    lm = scripted(
        ("look", "print(len(context), context[:3])\nowner = 'Ann'"),
        ("ask", "print(llm_query('Who owns it?'), price('milk'))\nimport dspy\nprint(dspy.Predict('q -> a').kind)"),
        ("fail", "undefined"),
        ("finish", "SUBMIT(answer=f'{owner} {len(context)}', score=0.5)"),
    )
    rlm = dspy.RLM(
        "context, question -> answer: str, score: float",
        tools=[price],
        sub_lm=lambda prompt: ["Ann does"],
        interpreter_factory=ContainedInterpreter,
    )
    asked = {"context": "mill " * 100_000, "question": "Who?"}
    with dspy.context(lm=lm):
        if is_async:
            import asyncio

            result = asyncio.run(rlm.acall(**asked))
        else:
            result = rlm(**asked)
    assert (result.answer, result.score) == ("Ann 500000", 0.5)
    outputs = [step["output"] for step in result.trajectory]
    assert outputs[0].strip() == "500000 mil"
    assert outputs[1].strip() == "Ann does 4 SEK\nPredict"
    assert "NameError" in outputs[2]
