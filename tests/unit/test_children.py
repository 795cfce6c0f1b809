"""Child runs: a tree of runs in one process, its shared budget, and its one trajectory."""

from __future__ import annotations

import pytest

from rlm_core.errors import ProviderError
from rlm_core.events import BlockFinished, CallStarted, Event, RunFinished, RunStarted
from rlm_core.limits import Limits
from rlm_core.run import run
from rlm_core.testing import ScriptedProvider
from rlm_core.trajectory import Recorder, read
from rlm_core.types import ModelUsage, RunResult


def code(text: str) -> str:
    return f"```repl\n{text}\n```"


def tree(*replies: str, **limits: int) -> tuple[RunResult, list[Event], ScriptedProvider]:
    """A run over scripted replies, in the order in which the runs of the tree ask."""
    events: list[Event] = []
    provider = ScriptedProvider(replies, sub=lambda prompt: f"sub:{prompt}")
    result = run(
        "What?",
        "data",
        provider=provider,
        limits=Limits(**limits),
        emit=Recorder(lambda line: None, then=events.append),
    )
    return result, events, provider


def test_at_depth_one_a_child_question_is_a_plain_sub_call() -> None:
    result, _, provider = tree(code("FINAL(rlm_query('Who?', {'a': 1}, model='m'))"))
    assert result.answer == 'sub:Who?\n\nContext:\n{"a": 1}'
    assert [call.model for call in provider.sub_calls] == ["m"]


def test_a_child_run_answers_over_the_very_value_it_is_given() -> None:
    child = code("FINAL(f'{type(context).__name__} {context[3]} {llm_query(\"hi\")}')")
    result, _, _ = tree(code("FINAL(rlm_query('Who?', {3: (1, 2)}))"), child, max_depth=2)
    assert result.answer == "dict (1, 2) sub:hi"


def test_without_a_context_the_question_is_the_childs_context() -> None:
    assert tree(code("FINAL(rlm_query('Who?'))"), code("FINAL(context)"), max_depth=2)[0].answer == "Who?"


def test_every_event_of_a_tree_has_its_path_and_calls_are_numbered_through() -> None:
    ask = code("FINAL('+'.join(rlm_batch(['a', ('b', 1)], 2)))")
    result, events, _ = tree(ask, ask, code("FINAL(context)"), code("FINAL(context)"), code("FINAL(5)"), max_depth=3)
    assert result.answer == "2+1+5"
    started = [event.path for event in events if isinstance(event, RunStarted)]
    assert started == [(), (0,), (0, 0), (0, 1), (1,)]
    assert [event.call for event in events if isinstance(event, CallStarted)] == [0, 1, 2, 3, 4]
    assert [event.seq for event in events] == list(range(len(events)))


def test_a_tree_can_be_read_back_from_its_log() -> None:
    lines: list[str] = []
    provider = ScriptedProvider([code("FINAL(rlm_query('Who?'))"), code("FINAL(1)")])
    run("What?", provider=provider, limits=Limits(max_depth=2), emit=Recorder(lines.append))
    assert {event.path for event in read(lines).events} == {(), (0,)}


def test_a_child_that_fails_raises_in_its_parents_block_with_what_it_had() -> None:
    child = code("answer['content'] = 'half'\n1/0")
    ask = code("try:\n    rlm_query('Who?')\nexcept SubCallError as error:\n    FINAL(str(error))")
    result, _, _ = tree(ask, child, max_depth=2, max_errors=1)
    assert "the child run ended without a final answer (max_errors)" in result.answer
    assert "The best it had: half" in result.answer


def test_a_batch_with_a_failed_child_keeps_the_other_answers() -> None:
    again = code("FINAL(repr(last_error.results))")
    ask = code("rlm_batch(['a', 'b', 'c'])")
    provider = ScriptedProvider([ask, code("FINAL(1)"), ProviderError("down."), code("FINAL(3)"), again, again])
    assert run("What?", provider=provider, limits=Limits(max_depth=2)).answer == "['1', None, '3']"
    assert "1 of 3 items of your last batch has no result" in provider.root_calls[-1].messages[-1].content


def test_the_parents_tracebacks_show_its_own_lines_after_a_child_ran() -> None:
    ask = "rlm_query('Who?')\nraise ValueError('mine')"
    _, events, _ = tree(code(ask), code("FINAL(1)"), code("FINAL(2)"), max_depth=2)
    errors = [event.observation.error for event in events if isinstance(event, BlockFinished) and event.path == ()]
    assert "raise ValueError('mine')" in (errors[0] or "")


def test_sub_calls_are_counted_over_the_whole_tree_and_refused_exactly() -> None:
    child = code("for i in range(9): llm_query(str(i))")
    result, _, provider = tree(
        code("answer['content'] = 'so far'\nrlm_query('Who?')"), child, max_depth=2, max_sub_calls=4
    )
    assert len(provider.sub_calls) == 3  # and the child run is the fourth
    assert (result.stopped_by, result.answer) == ("max_sub_calls", "so far")
    assert "sub-call limit reached: 4 of 4 used. Raise max_sub_calls" in result.detail


def test_a_batch_that_is_larger_than_what_is_left_is_not_begun() -> None:
    result, _, provider = tree(code("llm_query('a')\nllm_batch(['b'] * 3)"), max_sub_calls=3)
    assert len(provider.sub_calls) == 1
    assert "1 of 3 used and 3 more asked for" in result.detail


@pytest.mark.parametrize("limit", ["max_input_tokens", "max_output_tokens"])
def test_tokens_of_the_whole_tree_end_it_before_the_next_call(limit: str) -> None:
    result, events, provider = tree(
        code("rlm_query('Who?')"), code("llm_query('x' * 20_000)"), "more", max_depth=2, **{limit: 20_000}
    )
    assert result.stopped_by == limit
    assert len(provider.calls) == 3
    assert [event.stopped_by for event in events if isinstance(event, RunFinished)] == [limit, limit]


def test_a_final_answer_is_kept_though_its_call_used_up_the_tokens() -> None:
    assert tree(code("FINAL(1)"), max_output_tokens=1)[0].answer == "1"


def test_a_prompt_that_is_too_long_is_refused_with_its_numbers_before_the_call() -> None:
    _, events, provider = tree(code("llm_query('x' * 101)"), code("FINAL(1)"), max_prompt_chars=100)
    assert provider.sub_calls == []
    errors = [event.observation.error for event in events if isinstance(event, BlockFinished)]
    assert "the prompt is too long, 101 of at most 100 characters (max_prompt_chars)" in (errors[0] or "")


def test_usage_of_the_tree_is_that_of_all_its_runs() -> None:
    result, _, provider = tree(code("FINAL(rlm_query('Who?'))"), code("FINAL(llm_query('hi'))"), max_depth=2)
    assert result.usage["scripted"].calls == len(provider.calls) == 3


def test_an_unknown_price_makes_the_sum_unknown_and_never_zero() -> None:
    assert (ModelUsage(1, cost=0.5) + ModelUsage(1)).cost is None
    assert (ModelUsage() + ModelUsage(1, cost=0.5)).cost == 0.5
    assert (ModelUsage(1, cost=0.25) + ModelUsage(1, cost=0.5)).cost == 0.75
    assert (ModelUsage() + ModelUsage()).cost is None
