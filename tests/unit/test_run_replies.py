"""Replies that take a run no further: without text, cut, or the same again and again."""

from __future__ import annotations

import pytest

from rlm_core import prompts
from rlm_core.events import BlockFinished, BlockStarted, CallFinished, IterationFinished
from rlm_core.limits import Limits
from rlm_core.types import Reply
from tests.unit.scripted_run import block, ran, told

WITHOUT_TEXT = [
    ("empty", Reply(""), "the reply is empty", "no code and no final answer"),
    ("blanks", Reply(" \n"), "the reply is empty", "no code and no final answer"),
    ("thoughts", Reply("<think>FINAL(7)</think>"), "the reply holds thoughts only", "thoughts only"),
    ("an open thought", Reply("<think>FINAL(7)"), "the reply holds thoughts only", "thoughts only"),
    ("spent on thoughts", Reply("", finish_reason="length"), "all of its tokens went into thoughts", "think less"),
    ("a filter", Reply("", finish_reason="content_filter"), "content filter withheld", "content filter"),
    ("a refusal", Reply("I cannot.", finish_reason="content_filter"), "content filter withheld", "content filter"),
    ("a tool call", Reply("", finish_reason="tool_calls"), "the model called a tool", "there are none here"),
]


@pytest.mark.parametrize(
    ("reply", "why", "correction"), [case[1:] for case in WITHOUT_TEXT], ids=lambda value: str(value)
)
def test_three_replies_without_text_end_the_run_with_the_reason(reply: Reply, why: str, correction: str) -> None:
    result, provider, _ = ran([reply] * 3)
    assert (result.stopped_by, result.answer) == ("provider_error", "")
    assert why in result.detail
    assert result.detail.startswith("3 replies in a row held no text to work with")
    assert result.fault is not None
    assert result.fault.type == f"reply-{(reply.finish_reason or 'empty').replace('_', '-')}"
    assert correction in told(provider)


@pytest.mark.parametrize("reply", [case[1] for case in WITHOUT_TEXT], ids=[case[0] for case in WITHOUT_TEXT])
def test_replies_without_text_are_forgiven_where_others_lie_between(reply: Reply) -> None:
    result, _, _ = ran([reply, reply, block("print(1)"), reply, reply, "I look on.", reply, "FINAL(It is 7.)"])
    assert result.answer == "It is 7."


def test_code_of_a_reply_that_a_filter_ended_counts() -> None:
    assert ran([Reply(block("FINAL(7)"), finish_reason="content_filter")])[0].answer == "7"


def test_a_cut_block_does_not_run_and_the_model_is_told() -> None:
    half = "```repl\ntotal = 0\nfor line in context.splitlines():\n    total += len(line)\ntotal = total"
    result, provider, events = ran([Reply(half, finish_reason="length"), "FINAL_VAR(total)", "FINAL(It is 11.)"])
    assert [event for event in events if isinstance(event, BlockStarted)] == []
    assert prompts.CUT_BLOCK in provider.root_calls[1].messages[-1].content
    assert result.answer == "It is 11."
    reasons = [event.finish_reason for event in events if isinstance(event, CallFinished)]
    assert reasons == ["length", None, None]


def test_thoughts_and_markers_are_not_sent_again() -> None:
    _, provider, events = ran(["<think>long thoughts</think>\n" + block("print(1)") + "<|im_end|>", "FINAL(7)"])
    assert provider.root_calls[1].messages[-2].content == block("print(1)")
    replies = [event.reply for event in events if isinstance(event, IterationFinished)]
    assert replies[0].startswith("<think>")


def test_what_was_finished_with_before_its_output_was_seen_is_asked_back() -> None:
    first = block("print(len(context))") + "\nREPL output: 9999\n" + block('FINAL("9999")')
    result, provider, _ = ran([first, block("n = len(context)\nFINAL(n)")])
    assert prompts.CONFIRM_IN_CODE in told(provider)
    assert result.answer == "11"


STUCK: dict[str, tuple[str, str]] = {
    "the same code": (block("print(len(context))"), "do something else"),
    "code in an untagged fence": ("```\nn = 1\n```", "no code and no final answer"),
    "code between tags": ("<code>\nn = 1\n</code>", "no code and no final answer"),
    "an action as JSON": ('```json\n{"action": "repl", "code": "n = 1"}\n```', "no code and no final answer"),
    "a tool call as text": ('<tool_call>\n{"name": "repl"}\n</tool_call>', "no code and no final answer"),
    "an expression as final": ("FINAL(str(n))", "would not be evaluated"),
    "a placeholder as final": ("FINAL(your answer)", "holds a placeholder"),
    "a word that is no variable": ("FINAL(word)", "there is no variable 'word'"),
    "a variable that is none": ("FINAL_VAR(nothing)", "there is no variable 'nothing'"),
    "an answer in JSON": ('{"answer": "FINAL(42)"}', "no code and no final answer"),
    "an answer in a formula": ("It is $\\boxed{\\text{FINAL\\_VAR}(n)}$.", "no code and no final answer"),
    "an answer that was not worked out": (
        block("print(1)") + "\n" + block("FINAL('9999')"),
        "before you saw the output",
    ),
}


@pytest.mark.parametrize(("reply", "told_before"), STUCK.values(), ids=STUCK.keys())
def test_a_reply_that_comes_for_the_third_time_with_the_same_outcome_ends_the_run(reply: str, told_before: str) -> None:
    result, provider, _ = ran([block("m = len(context)"), *[reply] * 20], limits=Limits(max_iterations=20))
    assert result.stopped_by == "provider_error"
    assert result.fault is not None
    assert (result.fault.type, len(provider.root_calls)) == ("reply-repeated", 4)
    assert "3 replies in a row were the same" in result.detail
    assert told_before in told(provider)
    assert prompts.SAME_REPLY in told(provider)


def test_the_best_answer_of_a_model_that_repeats_itself_is_kept() -> None:
    result, _, _ = ran([block("answer['content'] = 'half'"), *["FINAL(word)"] * 20])
    assert (result.answer, result.stopped_by) == ("half", "provider_error")
    assert ran(["FINAL(word)"] * 20)[0].answer == "word"


def test_an_answer_that_was_never_confirmed_is_not_the_answer_of_a_model_that_repeats_itself() -> None:
    for reply in (block("print(1)") + "\n" + block("FINAL('9999')"), block("print(1)") + "\nFINAL(There are 9999.)"):
        result, _, events = ran([reply] * 20)
        assert (result.answer, result.stopped_by) == ("", "provider_error")
        assert {event.partial for event in events if isinstance(event, BlockFinished)} == {None}


MOVING: dict[str, list[str]] = {
    "the same code, other output": [block("n = globals().get('n', 0) + 1\nprint(n)")] * 9,
    "the same code, other value": [block("n = globals().get('n', 0) + 1\nn")] * 9,
    "twice the same, then another": [block("print(1)")] * 2 + ["I see."] + [block("print(1)")] * 2,
    "two in turn": [block("print(1)"), block("print(2)")] * 4,
}


@pytest.mark.parametrize("replies", MOVING.values(), ids=MOVING.keys())
def test_a_model_that_moves_goes_on(replies: list[str]) -> None:
    result, _, _ = ran([*replies, "FINAL(It is 7.)"])
    assert (result.answer, result.stopped_by) == ("It is 7.", "final_answer")
