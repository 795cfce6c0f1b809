"""Tools that act: functions of the caller, as model code calls them."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_core.errors import ChannelError, ConfigError
from rlm_core.events import Event, ToolCalled
from rlm_core.job import Job
from rlm_core.limits import Limits
from rlm_core.run import run
from rlm_core.testing import ScriptedProvider
from rlm_core.types import Tool


def answer(code: str, *tools: Tool, **more: Any) -> str:
    replies = [f"```repl\n{block}\n```" for block in code.split("---\n")]
    return run("What?", provider=ScriptedProvider(replies), tools=tools, **more).answer


def failing(text: str) -> None:
    raise ValueError(f"no {text} here")


CASES = [
    ("FINAL(add(1, b=2))", "3"),
    ("FINAL(add(b=[1], a=[2]))", "[2, 1]"),
    ("FINAL(str(same((1, {'k': None}))))", "[1, {'k': None}]"),
    ("try: fail('tea')\nexcept ToolError as error: FINAL(str(error))", "fail: no tea here"),
    ("try: same({1})\nexcept TypeError as error: FINAL(str(error)[:26])", "same(...) takes JSON value"),
    ("try: thing()\nexcept ToolError as error: FINAL(str(error)[:33])", "thing: its result is not JSON: Ob"),
    ("add = 1\n---\nFINAL(add(1, 1))", "2"),
]
TOOLS = (
    Tool("add", lambda a, b: a + b, "adds"),
    Tool("same", lambda value: value),
    Tool("fail", failing),
    Tool("thing", object),
)


@pytest.mark.parametrize(("code", "expected"), CASES)
def test_a_tool_is_called_like_a_function(code: str, expected: str) -> None:
    assert answer(code, *TOOLS) == expected


def test_each_call_of_a_tool_leaves_an_event() -> None:
    events: list[Event] = []
    replies = ["```repl\nadd(1, b=2)\n```", "```repl\nfail('tea')\n```", "FINAL(7)"]
    run("What?", provider=ScriptedProvider(replies), tools=TOOLS, emit=events.append)
    assert [event for event in events if isinstance(event, ToolCalled)] == [
        ToolCalled(name="add", args=(1,), kwargs={"b": 2}, result=3),
        ToolCalled(name="fail", args=("tea",), error="no tea here"),
    ]


def test_a_tool_is_told_of_in_the_prompt() -> None:
    provider = ScriptedProvider(["```repl\nFINAL(1)\n```"])
    run("What?", provider=provider, tools=TOOLS)
    assert "- `add(...)`: adds (call it with JSON values" in provider.calls[0].messages[0].content


def test_children_have_the_same_tools_unless_they_are_given_others() -> None:
    ask = "FINAL(rlm_query('Who?'))\n---\nFINAL(add(1, 2))"
    limits = Limits(max_depth=2)
    assert answer(ask, *TOOLS, limits=limits) == "3"
    assert answer(ask, *TOOLS, limits=limits, sub_tools=[Tool("add", lambda a, b: a * b)]) == "2"


def test_a_name_of_a_sub_tool_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="'rlm_query': the name is reserved"):
        Job(question="What?", sub_tools=(Tool("rlm_query", print),))


def test_a_lost_channel_in_a_tool_ends_the_run() -> None:
    def lost() -> None:
        raise ChannelError("gone.")

    result = run(
        "What?", provider=ScriptedProvider(["```repl\ntry: lost()\nexcept: pass\n```"]), tools=[Tool("lost", lost)]
    )
    assert (result.stopped_by, result.detail) == ("worker_lost", "gone.")


def test_a_dict_of_tools_is_as_good() -> None:
    tools = {
        "limit": 5,
        "add": lambda a, b: a + b,
        "same": {"tool": lambda value: value, "description": "gives it back"},
    }
    provider = ScriptedProvider(["```repl\nFINAL([limit, add(1, b=2), same('x'), same.__doc__])\n```"])
    assert run("What?", provider=provider, tools=tools).answer == "[5, 3, 'x', 'gives it back']"


async def later() -> None:
    """Never called."""


@pytest.mark.parametrize("tools", [{"later": later}, {"later": {"tool": later}}, (Tool("later", later),)])
def test_a_coroutine_function_is_refused_with_a_remedy(tools: Any) -> None:
    with pytest.raises(ConfigError, match="tool 'later' is a coroutine function, and this run is synchronous"):
        run("What?", provider=ScriptedProvider([]), tools=tools)
    with pytest.raises(ConfigError, match="tool 'later' is a coroutine function"):
        run("What?", provider=ScriptedProvider([]), sub_tools=tools)
