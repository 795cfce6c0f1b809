"""Sandbox: its host half against the contained half in this process, over sessions that are played."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError
from rlm_core.repl import Repl
from rlm_server.headless import browser_rlm
from rlm_server.headless.result import partial_result
from rlm_server.sandbox import BlockingSandbox, EndExecution, Execution, Sandbox
from rlm_server.sandbox.chosen_code import MODEL, ChosenCode
from rlm_server.sandbox.host_half import INLINE_CHARS, NAME, HostHalf


class PlayedSession:
    """Runs the blocks of each question in a REPL of this process."""

    def __init__(self, code: ChosenCode, defaults: dict[str, Any]) -> None:
        self.code, self.defaults = code, defaults
        self.contexts: list[Any] = []
        self.repl = Repl()
        host = defaults["tools"][NAME]

        def call(*args: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(host(*args), self.loop).result()

        self.repl.reserve({NAME: call})

    async def run(self, question: str, *, context: Any, on_event: Callable[[dict[str, Any]], object]) -> Any:
        self.loop = asyncio.get_running_loop()
        self.contexts.append(context)
        value = {path.name: path for path in context} if isinstance(context, tuple) else context
        self.repl.begin(next(iter(value.values())) if isinstance(context, tuple) and len(value) == 1 else value)
        for number, block in enumerate(self.code._code[question.split()[1].rstrip(".")]):
            seen = await asyncio.to_thread(self.repl.execute, block)
            names = ("stdout", "stdout_chars", "value", "error", "seconds")
            observation = {name: getattr(seen, name) for name in names}
            event = {"type": "block_finished", "path": [], "iteration": 1, "block": number, "lost": False}
            on_event({**event, "observation": observation})
        return partial_result([], detail="")

    async def close(self) -> None:
        pass


class PlayedRLM:
    def __init__(self, code: ChosenCode) -> None:
        self.code = code
        self.sessions: list[PlayedSession] = []

    def session(self, **defaults: Any) -> PlayedSession:
        self.sessions.append(PlayedSession(self.code, defaults))
        return self.sessions[-1]

    async def __aenter__(self) -> PlayedRLM:
        return self

    async def __aexit__(self, *fault: object) -> None:
        pass


@pytest.fixture
def rlms(monkeypatch: pytest.MonkeyPatch) -> list[PlayedRLM]:
    opened: list[PlayedRLM] = []

    def rlm_over(server: Any) -> PlayedRLM:
        [code] = server.args
        opened.append(PlayedRLM(code))
        return opened[-1]

    monkeypatch.setattr(browser_rlm, "rlm_over", rlm_over)
    return opened


@pytest.fixture
def sandbox(rlms: list[PlayedRLM]) -> Iterator[BlockingSandbox]:
    def add(first: float, *, second: float = 1) -> float:
        """The sum."""
        return first + second

    with BlockingSandbox(tools={"add": add}, timeout=7) as opened:
        yield opened


def test_names_stay_and_values_are_json_and_repr(sandbox: BlockingSandbox, rlms: list[PlayedRLM]) -> None:
    first = sandbox.execute("print('hi')\nanswer = (1, 'a')\nanswer")
    assert (first.stdout, first.value, first.result, first.error) == ("hi\n", "(1, 'a')", [1, "a"], None)
    assert sandbox.execute("len(answer)").result == 2
    nothing = sandbox.execute("x = 1")
    assert nothing == Execution(seconds=nothing.seconds)
    [session] = rlms[0].sessions
    assert session.defaults["model"] == session.defaults["sub_model"] == MODEL
    assert session.defaults["block_timeout"] == 7
    assert session.contexts == [{}, None, None, None]


def test_an_error_is_a_value(sandbox: BlockingSandbox) -> None:
    failed = sandbox.execute("n = 2\nraise KeyError('a', 1)")
    assert (failed.kind, failed.args, failed.is_lost, failed.value) == ("KeyError", ("a", 1), False, None)
    assert failed.error is not None
    assert failed.error.startswith("Traceback")
    assert sandbox.execute("n").result == 2


def test_tools_are_those_of_the_sandbox_and_of_the_call(sandbox: BlockingSandbox) -> None:
    async def later(value: Any) -> Any:
        await asyncio.sleep(0)
        return {"value": value}

    def thread() -> str:
        return threading.current_thread().name

    assert sandbox.execute("add(2, second=3), add.__doc__").result == [5, "The sum."]
    assert sandbox.execute("later([None, 'é'])", tools={"later": later}).result == {"value": [None, "é"]}
    assert sandbox.execute("later(1)").kind == "NameError"
    assert sandbox.execute("thread()", tools={"thread": thread}).result == "rlm-callback"


def test_exceptions_of_tools_pass_back(sandbox: BlockingSandbox) -> None:
    class OwnError(Exception):
        pass

    def fail(kind: str) -> None:
        raise {"value": ValueError("odd"), "own": OwnError("mine"), "key": KeyError("k")}[kind]

    tools: dict[str, Callable[..., Any]] = {"fail": fail, "unfit": lambda: {1, 2}}
    assert sandbox.execute("fail('value')", tools=tools).args == ("odd",)
    assert sandbox.execute("try:\n    fail('key')\nexcept KeyError as e:\n    k = e.args\nk", tools=tools).result == [
        "k"
    ]
    own = sandbox.execute("fail('own')", tools=tools)
    assert (own.kind, own.args) == ("ToolError", ("fail: OwnError: mine",))
    unfit = sandbox.execute("unfit()", tools=tools)
    assert unfit.kind == "TypeError"
    assert "the result of unfit is not JSON" in unfit.args[0]


def test_numbers_that_json_does_not_have_pass_both_ways(sandbox: BlockingSandbox) -> None:
    infinite = float("inf")
    done = sandbox.execute("negate(n), n > 1e308", {"n": infinite}, {"negate": lambda number: -number})
    assert done.result == [-infinite, True]


def test_a_tool_cannot_execute_in_its_own_sandbox(sandbox: BlockingSandbox) -> None:
    async def later() -> object:
        return await sandbox._sandbox.execute("1")

    for tool in (lambda: sandbox.execute("1"), later):
        refused = sandbox.execute("nested()", tools={"nested": tool})
        assert refused.kind == "ToolError"
        assert "a tool cannot execute code in its own sandbox" in refused.args[0]
    assert sandbox.execute("40 + 2").result == 42


def test_a_tool_ends_the_code(sandbox: BlockingSandbox) -> None:
    def submit(**values: Any) -> None:
        raise EndExecution(values)

    ended = sandbox.execute(
        "print(1)\ntry:\n    submit(a=1)\nexcept Exception:\n    pass\nprint(2)", tools={"submit": submit}
    )
    assert (ended.is_ended, ended.answer, ended.stdout, ended.error) == (True, {"a": 1}, "1\n", None)
    assert not sandbox.execute("1").is_ended


def test_a_large_variable_is_a_file_once_and_bound_each_time(sandbox: BlockingSandbox, rlms: list[PlayedRLM]) -> None:
    large = {"text": "é" * INLINE_CHARS}
    code = "large['text'] += '.'\nlen(large['text']), n"
    assert sandbox.execute(code, {"large": large, "n": 1}).result == [INLINE_CHARS + 1, 1]
    assert sandbox.execute(code, {"large": large, "n": None}).result == [INLINE_CHARS + 1, None]
    [session] = rlms[0].sessions
    [file] = session.contexts[1]
    assert session.contexts == [{}, (file,), None]
    other = {"large": large, "other": "x" * INLINE_CHARS, "third": "y" * INLINE_CHARS}
    assert sandbox.execute("other[0] + third[0]", other).result == "xy"
    sandbox.reset()
    assert not file.exists()


@pytest.mark.parametrize(
    ("variables", "tools", "said"),
    [
        ({"a b": 1}, {}, "'a b' cannot be a variable of Python"),
        ({"class": 1}, {}, "'class' cannot be a variable"),
        ({"n": {1}}, {}, "the variable 'n' is not JSON: .* Variables are text"),
        ({"n": {1: 2}}, {}, "the variable 'n' is not JSON: the key 1 is not text"),
        ({}, {"f": 3}, "the tool 'f' is no function"),
    ],
)
def test_an_impossible_argument_is_refused_and_nothing_runs(
    sandbox: BlockingSandbox, rlms: list[PlayedRLM], variables: Any, tools: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        sandbox.execute("1", variables, tools)
    assert rlms[0].sessions[0].contexts == []


def test_reset_begins_anew_with_the_files(rlms: list[PlayedRLM], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A")
    with BlockingSandbox(tmp_path / "a.txt") as sandbox:
        assert sandbox.execute("n = context.read_text()\nn").result == "A"
        sandbox.reset()
        assert sandbox.execute("n").kind == "NameError"
        assert sandbox.execute("context.name").result == "a.txt"
    assert [session.contexts[0] for session in rlms[0].sessions] == [(tmp_path / "a.txt",)] * 2
    with pytest.raises(ConfigError, match="use it in `with BlockingSandbox"):
        sandbox.execute("1")


def test_pieces_of_code_wait_for_each_other(rlms: list[PlayedRLM]) -> None:
    async def main() -> list[Any]:
        async with Sandbox() as sandbox:
            done = await asyncio.gather(*(sandbox.execute(f"n = {number}\nn") for number in range(5)))
            return [execution.result for execution in done]

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="use it in `async with Sandbox"):
        asyncio.run(Sandbox().execute("1"))


def test_the_contained_half_is_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        half = HostHalf(200, tmp_path)
        half.begin("1", {}, {"f": lambda: 1})
        with pytest.raises(ValueError, match="no 'open' to answer"):
            await half.call("open", "/etc/passwd")
        assert (await half.call("next"))["code"] == "1"
        with pytest.raises(ValueError, match="no 'next'"):
            await half.call("next")
        assert (await half.call("call", "eval", '[["1"], {}]'))["kind"] == "NameError"
        await half.call("done", {"value": 3})
        late_calls: list[tuple[Any, ...]] = [("done", {}), ("call", "f", "[[], {}]")]
        for late in late_calls:
            with pytest.raises(ValueError, match="to answer now"):
                await half.call(*late)

    asyncio.run(main())


def test_an_impossible_option_is_refused_before_a_browser_starts(rlms: list[PlayedRLM]) -> None:
    with pytest.raises(ConfigError, match="block_timeout must be a number of seconds above 0, not -1"):
        Sandbox(timeout=-1)
    assert rlms == []
