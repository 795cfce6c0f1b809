"""Sessions and compaction: the state that outlives a question, and a long conversation that becomes a short one."""

from __future__ import annotations

from rlm_core.errors import ProviderError
from rlm_core.events import CallStarted, Event, Notice
from rlm_core.job import Job
from rlm_core.limits import Limits
from rlm_core.run import answer, run
from rlm_core.session import Session
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.types import Json, ModelCall


def code(text: str) -> str:
    return f"```repl\n{text}\n```"


def test_five_questions_over_one_repl() -> None:
    session = Session()
    provider = ScriptedProvider(
        [
            code("found = context.upper()\nFINAL(found)"),
            code("FINAL(found + str(context))"),
            code("FINAL((context_0, context_1, context is context_1))"),
            code("FINAL([history_0[-1]['role'], len(history_1), 'history_3' in globals()])"),
            code("answer['content'] = FINAL_VAR('found')"),
        ]
    )
    contexts = ["one", {"two": 2}, None, None, "five"]
    answers = [run("Q?", context, provider=provider, session=session).answer for context in contexts]
    assert answers == ["ONE", "ONE{'two': 2}", "('one', {'two': 2}, True)", "['user', 2, False]", "ONE"]
    opening = provider.root_calls[4].messages[1].content
    assert "`context` is a str of 4 characters" in opening
    assert "`context_0` to `context_2` and `history_0` to `history_3`" in opening
    assert "1. Q?\n   Your answer: ONE{'two': 2}" in opening


def test_a_later_question_names_the_context_that_stays() -> None:
    session = Session()
    cited = code("FINAL('It is red.', evidence=['red box'])")
    provider = ScriptedProvider([cited] * 3)
    file: dict[str, Json] = {"name": "tickets.csv"}
    named, later = Job(question="Q?", context="a red box", contexts=(file,)), Job(question="Q?", context=None)
    asked = [named, later, Job(question="Q?", context="the red box")]
    sources = [answer(job, provider=provider, session=session).evidence[0].source for job in asked]
    assert sources == ["tickets.csv", "tickets.csv", "context"]


def test_a_question_after_one_that_was_not_answered_starts_afresh() -> None:
    session = Session()
    provider = ScriptedProvider(
        [code("answer['content'] = 'half'"), ProviderError("down."), code("FINAL(answer['content'])"), "FINAL(7)"]
    )
    first = run("Q?", provider=provider, session=session)
    assert (first.stopped_by, first.answer) == ("provider_error", "half")
    second = run("Q?", provider=provider, session=session)
    assert second.answer == "7"


def compacting(
    *replies: Line, sub: str = "I found 7 in `x`.", **limits: float
) -> tuple[str, list[Event], ScriptedProvider]:
    events: list[Event] = []
    provider = ScriptedProvider(replies, sub=lambda prompt: sub)
    allowed = Limits(window_tokens=2_000, **limits)  # type: ignore[arg-type]
    result = run("Q?", "data", provider=provider, limits=allowed, emit=events.append)
    return result.answer, events, provider


LONG = code("x = 7\nprint('long ' * 2_000)")


def test_a_conversation_that_fills_its_share_of_the_window_is_replaced_by_a_summary() -> None:
    answer, events, provider = compacting(LONG, code("FINAL((x, len(history), history[2]['content'][:7]))"))
    assert answer == "(7, 4, '```repl')"
    last = provider.root_calls[-1].messages
    assert [message.role for message in last] == ["system", "user", "assistant", "user"]
    assert last[2].content == "I found 7 in `x`."
    assert any("replaced by a summary" in event.text for event in events if isinstance(event, Notice))


def test_the_summary_is_asked_for_over_the_whole_conversation() -> None:
    _, _, provider = compacting(LONG, code("FINAL(1)"))
    (asked,) = compactions(provider)
    assert len(asked.messages) == 5
    assert "Sum it up for yourself" in asked.messages[-1].content


def compactions(provider: ScriptedProvider) -> list[ModelCall]:
    return [call for call in provider.calls if call.kind == "compaction"]


def test_compaction_can_be_switched_off() -> None:
    _, _, provider = compacting(LONG, code("FINAL(1)"), compact_at=None)  # type: ignore[arg-type]
    assert compactions(provider) == []


def test_compaction_is_no_sub_call_and_happens_where_none_is_allowed() -> None:
    answer, events, provider = compacting(LONG, code("FINAL(x)"), max_sub_calls=0)
    assert (answer, provider.sub_calls, len(compactions(provider))) == ("7", [], 1)
    assert [event.kind for event in events if isinstance(event, CallStarted)] == ["root", "compaction", "root"]


def test_a_summary_that_is_empty_leaves_the_conversation_as_it_is() -> None:
    answer, _, provider = compacting(LONG, code("FINAL(1)"), sub=" ")
    assert answer == "1"
    assert len(provider.root_calls[-1].messages) == 4
