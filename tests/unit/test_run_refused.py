"""Refusals: a question, a tool or a limit with which no run begins, each by its name."""

from __future__ import annotations

import pytest

from rlm_core.errors import ConfigError
from rlm_core.job import Job
from rlm_core.limits import Limits
from rlm_core.run import run
from rlm_core.testing import ScriptedProvider
from rlm_core.types import Tool


@pytest.mark.parametrize("question", ["", "  \n", None, 5, b"Who?"])
def test_a_question_that_is_none_is_refused(question: object) -> None:
    with pytest.raises(ConfigError, match="the question must be text that is not empty"):
        Job(question=question)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["context", "llm_query", "FINAL", "answer", "SubCallError"])
def test_a_tool_with_a_reserved_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"tool '{name}': the name is reserved"):
        Job(question="Who?", tools=(Tool(name, 1),))


@pytest.mark.parametrize("name", ["", "a b", "1a", "class", "a-b", "__x__", 5])
def test_a_tool_whose_name_is_no_identifier_is_refused_by_name(name: object) -> None:
    with pytest.raises(ConfigError, match=f"tool {name!r}: the name must be a Python identifier"):
        Job(question="Who?", tools=(Tool(name, 1),))  # type: ignore[arg-type]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two tools have the name 'a'"):
        Job(question="Who?", tools=(Tool("a", 1), Tool("a", 2)))


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("nan"), {"a": [object()]}])
def test_a_tool_that_is_not_json_is_refused_by_name_before_anything_runs(value: object) -> None:
    provider = ScriptedProvider(["FINAL(7)"])
    with pytest.raises(ConfigError, match="tool 'odd': the value is not JSON"):
        run("Who?", provider=provider, tools=[Tool("odd", value)])  # type: ignore[arg-type]
    assert provider.calls == []


@pytest.mark.parametrize("limits", [Limits(max_block_seconds=5), Limits(max_context_chars=100)])
def test_a_limit_that_only_the_browser_keeps_is_refused_by_name(limits: Limits) -> None:
    with pytest.raises(ConfigError, match=r"^max_(block_seconds|context_chars): in rlm_core.run .*BrowserRLM"):
        run("What?", "text", provider=ScriptedProvider([]), limits=limits)


def test_limits_of_a_log_are_taken_as_they_are() -> None:
    limits = Limits(max_block_seconds=None, max_concurrency=2)
    assert run("What?", "text", provider=ScriptedProvider(["FINAL(yes, it is)"]), limits=limits).stopped_by
