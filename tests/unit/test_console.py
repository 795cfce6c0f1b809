"""Console: code of the person's own in the REPL of a session."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlm_core import Job, Session, run
from rlm_core.console import entry
from rlm_core.events import BlockFinished, Event, RunStarted
from rlm_core.testing import ScriptedProvider
from rlm_core.types import Observation, PastBlock
from tests.unit.scripted_run import block as code


def ran(session: Session, text: str, **fields: Any) -> Observation:
    """The observation of one entry."""
    events: list[Event] = []
    entry(Job(question=text, **fields), session=session, emit=events.append)
    [block] = [event for event in events if isinstance(event, BlockFinished)]
    return block.observation


def variables(session: Session) -> dict[str, dict[str, str]]:
    value = entry(Job(question="pass"), session=session).value
    return {each["name"]: each for each in json.loads(value or "[]")}


def asked(session: Session, *replies: str, context: object = None) -> tuple[str, ScriptedProvider]:
    provider = ScriptedProvider(list(replies))
    return run("Q?", context, provider=provider, session=session).answer, provider


def test_an_entry_sees_the_run_and_the_next_question_sees_the_entry() -> None:
    session = Session()
    asked(session, code("rows = [1, 2, 3]\nFINAL('one')"), context="text")
    observation = ran(session, "total = sum(rows)\nprint(len(context))\ntotal")
    assert (observation.stdout, observation.value, observation.error) == ("4\n", "6", None)
    answer, provider = asked(session, code("FINAL(total + 1)"))
    assert answer == "7"
    opening = provider.root_calls[0].messages[1].content
    assert "Variables that the user bound in this REPL since: `total`." in opening


def test_an_entry_shows_values_and_its_errors() -> None:
    session = Session()
    assert json.loads(ran(session, "display([{'a': 1}])").shown or "")[0]["kind"] == "table"
    error = ran(session, "x = 1\n1 / 0").error or ""
    assert "ZeroDivisionError" in error
    assert "1 / 0" in error
    assert ran(session, "x").value == "1"


@pytest.mark.parametrize("call", ["llm_query('a')", "llm_batch(['a'])", "rlm_query('a')", "map_items([1], 'a')"])
def test_no_model_is_called_from_the_console(call: str) -> None:
    session = Session()
    _, provider = asked(session, code("def ask():\n    return llm_query('hello')\nFINAL('one')"))
    assert "no model is called from the console" in (ran(session, call).error or "")
    assert "no model is called from the console" in (ran(session, "ask()").error or "")
    assert len(provider.root_calls) == 1
    assert provider.sub_calls == []


def test_a_run_after_an_entry_calls_models_again() -> None:
    session = Session()
    asked(session, code("FINAL('one')"))
    ran(session, "x = 1")
    answer, provider = asked(session, code("FINAL(llm_query('hello'))"))
    assert (answer, len(provider.sub_calls)) == ("hello", 1)


def test_final_at_the_console_is_refused_and_ends_nothing() -> None:
    session = Session()
    asked(session, code("FINAL('one')"))
    assert "there is no run to finish" in (ran(session, "FINAL('two')").error or "")
    assert ran(session, "answer['content'] = 'x'\nanswer['ready'] = True\n7").value == "7"
    assert asked(session, code("FINAL('three')"))[0] == "three"


def test_variables_have_type_size_and_preview() -> None:
    session = Session()
    ran(session, "a = 'abc'\nb = [1]\nclass C:\n    def __repr__(self): raise ValueError('no')")
    ran(session, "c = C()\nd = list(range(999))")
    listed = variables(session)
    assert list(listed) == ["context", "a", "b", "C", "c", "d"]
    assert listed["a"] == {"name": "a", "type": "str", "size": "3 characters", "preview": "'abc'"}
    assert (listed["b"]["size"], listed["b"]["preview"]) == ("1 item", "[1]")
    assert listed["d"]["preview"] == "[0, 1, 2, 3, 4, 5, ...]"
    assert listed["c"]["type"] == "C"


def test_a_lost_entry_is_not_run_again_and_a_kept_one_keeps_its_observation() -> None:
    session = Session()
    seen = Observation(stdout="as it was")
    assert ran(session, "x = 1", past=(PastBlock(1, 0, seen, lost=True),)) == seen
    assert ran(session, "'x' in globals()").value == "False"
    assert ran(session, "y = 1", past=(PastBlock(1, 0, seen),)) == seen
    assert ran(session, "y").value == "1"


def test_an_entry_before_any_question_leaves_the_first_question_its_context() -> None:
    session = Session()
    ran(session, "x = 5")
    assert asked(session, code("FINAL((x, context))"), context="text")[0] == "(5, 'text')"


def test_the_log_tells_an_entry_from_a_question() -> None:
    events: list[Event] = []
    entry(Job(question="1"), session=Session(), emit=events.append)
    started = events[0]
    assert isinstance(started, RunStarted)
    assert (started.console, started.question) == (True, "1")
    assert [event.type for event in events] == [
        "run_started",
        "iteration_started",
        "block_started",
        "block_finished",
        "iteration_finished",
        "run_finished",
    ]
