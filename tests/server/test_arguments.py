"""Arguments of headless runs: names, spellings, units and refusals, without a browser."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError
from rlm_core.limits import LIMITS
from rlm_server.headless import BlockingBrowserRLM, BrowserRLM, arguments
from rlm_server.headless.arguments import (
    Callbacks,
    Options,
    QuestionArguments,
    RLMArguments,
    RunArguments,
    chosen,
    log_text,
    parsed,
    read_options,
)
from rlm_server.headless.names import snake

ROOT = Path(__file__).parents[2]


def options_of(**given: Any) -> dict[str, object]:
    return dict(parsed(given, RunArguments).options)


def test_examples_in_docstrings_are_true() -> None:
    assert doctest.testmod(arguments).failed == 0


def test_options_are_snake_case_and_the_page_has_its_own() -> None:
    assert options_of(max_iterations=3, sub_model="a:b", compact_at=False) == {
        "maxIterations": 3,
        "subModel": "a:b",
        "compactAt": False,
    }


def test_none_is_the_default() -> None:
    assert options_of(max_iterations=None, model=None) == {}


def test_durations_are_seconds_in_pythons_spelling_alone() -> None:
    assert options_of(max_timeout=1.5, block_timeout=2) == {"maxTimeout": 1500, "blockTimeout": 2000}
    assert options_of(maxTimeout=1500, blockTimeout=2000) == {"maxTimeout": 1500, "blockTimeout": 2000}


def test_every_limit_is_an_option() -> None:
    assert {snake(facts.option) for facts in LIMITS} <= set(Options.__annotations__)


def test_every_option_of_javascript_has_its_name_here_or_a_reason() -> None:
    types = (ROOT / "worker" / "rlm.d.ts").read_text(encoding="utf-8")
    names = []
    for part in ("RLMOptions", "RLMRunOptions", "FromLog"):
        body = re.search(rf"export interface {part}\b[^{{]*{{(.*?)\n}}", types, re.DOTALL)
        assert body is not None
        names += re.findall(r"^  (\w+)\?:", body[1], re.MULTILINE)
    assert len(names) > 15
    assert {snake(name) for name in names} - set(RunArguments.__annotations__) == set(arguments.USELESS)


@pytest.mark.parametrize("front_end", [BrowserRLM, BlockingBrowserRLM])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_iteration": 1}, r"unknown option max_iteration\. Is max_iterations meant\?"),
        ({"maxIteration": 1}, r"unknown option maxIteration\. Is max_iterations meant\?"),
        ({"zzz": 1}, r"unknown option zzz\. Known are allow_unknown_price, allowed_models, "),
        ({"journal": True}, "journal is of no use here: the browser is closed at the end"),
        ({"keepContext": True}, "keepContext is of no use here"),
        ({"endpoint": "/x"}, "endpoint is of no use here: the page calls its own server"),
        ({"context": "x"}, "context cannot be chosen here: give it to run"),
        ({"max_cost": 1, "maxCost": 2}, "max_cost is given twice, also as maxCost"),
        ({"max_timeout": "5"}, "max_timeout must be a number of seconds above 0, not '5'"),
        ({"on_event": 5}, "on_event must be a function, not 5"),
        ({"tools": ["a"]}, "tools must be a dict of name and tool, not a list"),
    ],
)
def test_an_impossible_argument_is_refused_by_name(front_end: type, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        front_end(**given)


def test_what_a_question_cannot_choose_is_told_where_it_can() -> None:
    with pytest.raises(ConfigError, match="max_cost cannot be chosen here: give it to BrowserRLM or run"):
        parsed({"max_cost": 1}, QuestionArguments)


def test_an_argument_of_a_run_wins_in_either_spelling() -> None:
    assert chosen({"max_iterations": 1, "model": "a:b"}, {"maxIterations": 2}) == {"model": "a:b", "maxIterations": 2}


def test_messages_of_the_page_name_the_option_as_the_caller_did() -> None:
    message = "maxIterations must be at least 1; maxCost too"
    given = parsed({"max_iterations": 0, "maxCost": 1}, RLMArguments)
    assert given.in_python(message) == "max_iterations must be at least 1; maxCost too"


def test_only_callbacks_that_are_there_are_wanted() -> None:
    assert Callbacks(on_child=print).wants() == {
        "iteration": False,
        "subLLMCall": False,
        "child": True,
        "egress": False,
    }


def test_a_log_is_a_path_or_its_text(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"type": "x"}\n')
    assert log_text("replay", path) == log_text("replay", '{"type": "x"}\n')
    assert parsed({"fork": (path, 2)}, RunArguments).log == {"fork": {"log": path.read_text(), "iteration": 2}}
    with pytest.raises(ConfigError, match=r"fork must be \(log, iteration\)"):
        parsed({"fork": path}, RunArguments)


def test_the_types_are_shipped() -> None:
    assert (ROOT / "rlm_core" / "py.typed").is_file()
    assert (ROOT / "server" / "rlm_server" / "py.typed").is_file()


def test_options_of_models_are_snake_case_too() -> None:
    assert options_of(model_options={"top_p": 0.5, "seed": 1}, subModelOptions={"topP": 0.5}) == {
        "modelOptions": {"topP": 0.5, "seed": 1},
        "subModelOptions": {"topP": 0.5},
    }
    with pytest.raises(ConfigError, match=r"unknown option top_pp\. Is top_p meant\?"):
        options_of(model_options={"top_pp": 0.5})


def test_a_json_file_of_options_has_either_spelling_and_flags_win(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text('{"maxTimeout": 5000, "block_timeout": 9, "modelOptions": {"topP": 0.5}, "tools": {"limit": 5}}')
    options = parsed(chosen(read_options(path), {"max_timeout": 7}), RunArguments)
    assert options.options == {"maxTimeout": 7000, "blockTimeout": 9000, "modelOptions": {"topP": 0.5}}
    for text, said in (
        ("{", "cannot be read as JSON"),
        ("[]", "must hold a JSON object"),
        ('{"x": 1}', "unknown option x"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            read_options(path)
