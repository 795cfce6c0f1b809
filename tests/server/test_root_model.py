"""The stand-in as root model: its code fits the context, and its next step follows from the observation."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rlm_core import run
from rlm_core.errors import ProviderError
from rlm_core.limits import Limits
from rlm_core.parse import parse
from rlm_core.prompts import LAST_CALL, describe, first_message, system_prompt
from rlm_core.types import Message, ModelCall, Reply
from rlm_server.providers.stand_in.root_code import (
    NOTHING,
    SHAPES,
    ask,
    ask_simply,
    check,
    finish,
    finish_unseen,
    measure,
)
from rlm_server.providers.stand_in.root_model import NOT_FOUND, NOTHING_SEEN, SAYS, is_run, reply_as_root
from tests.stand_in import StandIn

FACT = "Ada Holm hid the key of the tower in the bread oven."
QUESTION = "Where did Ada Holm hide the key of the tower?"
FILLER = "The goat was seasick and the wind had turned again before noon.\n"


def conversation(context: object, *turns: str, max_iterations: int = 20, question: str = QUESTION) -> list[Message]:
    """A run's conversation: the replies and observations in `turns`, alternating."""
    opening = first_message(question, describe(context), max_iterations=max_iterations)
    said = [Message("user" if place % 2 else "assistant", text) for place, text in enumerate(turns)]
    return [Message("system", system_prompt()), opening, *said]


class FailingSubCalls(StandIn):
    """Fails every sub-call that `fails` says to, by the number of sub-calls before it."""

    def __init__(self, fails: Callable[[int], bool]) -> None:
        super().__init__()
        self.fails = fails

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:  # type: ignore[override]
        before = len(self.prompts)
        replies = super().complete(calls)
        if calls[0].kind == "root":
            return replies
        failed = ProviderError("the upstream is down")
        return [failed if self.fails(before + index) else reply for index, reply in enumerate(replies)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "question",
    ["Who?", 'Who said "it\'s"?', "```\nWho?\n```", 'a"""b', "\\", "QUESTION PARTS NOTHING", "谁", "\ud800", "a\nb"],
)
def test_the_code_compiles_for_every_type_and_question(shape: str, question: str) -> None:
    codes = (measure(shape), ask(shape, question), ask(shape, None), ask_simply(question), check(), finish())  # type: ignore[arg-type]
    for code in (*codes, finish_unseen(question)):
        ast.parse(code.encode("utf-8", "replace"))
        assert all(len(line) <= 120 for line in code.split("\n"))


CONTEXTS: dict[str, object] = {
    "str": FILLER * 600 + FACT + "\n" + FILLER * 600,
    "one line": " ".join([*["filler"] * 9_000, FACT, *["filler"] * 9_000]),
    "wrapped": FILLER * 300 + FACT.replace("key of", "key\nof") + "\n" + FILLER * 300,
    "list": [FILLER] * 800 + [FACT] + [FILLER] * 800,
    "tuple": (FILLER, FACT),
    "list of dicts": [{"id": number, "text": FILLER} for number in range(300)] + [{"id": 300, "text": FACT}],
    "nested dict": {"log": {"days": [[FILLER] * 20, [FACT, FILLER]], "pages": 2}, "other": FILLER * 40},
    "odd keys": {1: FILLER * 10, (2, 3): FACT, None: FILLER},
    "files": {"a.txt": FILLER * 500, "b.txt": FACT + "\n" + FILLER * 500},
    "bytes": (FILLER * 300 + FACT).encode() + b"\xff\xfe",
    "small": FACT,
    "surrogate": FILLER + "\ud800\n" + FACT,
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_fact_is_found_in_a_context_of_any_type(name: str) -> None:
    result = run(QUESTION, CONTEXTS[name], provider=StandIn())

    assert "in the bread oven" in result.answer
    assert "(Found in " in result.answer
    assert result.iterations == 4
    assert {item.status for item in result.evidence} <= {"found"}
    assert bool(result.evidence) == ("dict" not in name)


@pytest.mark.parametrize("as_context", [lambda path: path, lambda path: {"big.txt": path, "small.txt": "nothing"}])
def test_a_fact_is_found_in_files_that_are_not_loaded(tmp_path: Path, as_context: Callable[[Path], object]) -> None:
    path = tmp_path / "big.txt"
    path.write_bytes((FILLER * 400 + FACT + "\n" + FILLER * 400).encode("utf-8") + b"\xff")

    assert "in the bread oven" in run(QUESTION, as_context(path), provider=StandIn()).answer


@pytest.mark.parametrize("context", ["", " \n", [], {}, b"", 17, None, FILLER])
def test_a_context_without_the_answer_gets_an_honest_end(context: object) -> None:
    result = run(QUESTION, context, provider=StandIn())

    assert result.answer == NOT_FOUND
    assert result.stopped_by == "final_answer"


@pytest.mark.parametrize("max_iterations", [1, 2, 3, 4])
def test_few_iterations_are_enough(max_iterations: int) -> None:
    limits = Limits(max_iterations=max_iterations)

    found = run(QUESTION, CONTEXTS["str"], provider=StandIn(), limits=limits)
    missing = run(QUESTION, FILLER * 99, provider=StandIn(), limits=limits)

    assert "in the bread oven" in found.answer
    assert (found.stopped_by, missing.stopped_by) == ("final_answer", "final_answer")
    assert missing.answer == NOT_FOUND


def test_the_whole_context_is_asked_about() -> None:
    rng = random.Random(5)
    lines = [f"line {number} {rng.random()}" for number in range(60_000)]
    provider = StandIn()

    run(QUESTION, "\n".join(lines), provider=provider)

    asked = {line for prompt in provider.prompts for line in prompt.splitlines()}
    assert set(lines) <= asked
    assert len(provider.prompts) <= 1_000


def test_when_the_batch_fails_it_asks_again_one_by_one() -> None:
    context = CONTEXTS["str"]
    pieces = 8

    result = run(QUESTION, context, provider=FailingSubCalls(lambda number: number == pieces - 6))

    assert "in the bread oven" in result.answer
    assert result.iterations == 5


def test_when_sub_calls_keep_failing_it_says_so() -> None:
    result = run(QUESTION, CONTEXTS["str"], provider=FailingSubCalls(lambda number: True))

    assert result.stopped_by == "final_answer"
    assert "No answer found: the sub-calls failed" in result.answer
    assert "the upstream is down" in result.answer


def test_a_quote_that_is_not_in_the_context_is_marked() -> None:
    class Paraphrasing(StandIn):
        def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply]:
            replies = super().complete(calls)
            is_sub = calls[0].kind == "sub"
            return [Reply("She put it among the loaves.") for _ in calls] if is_sub else replies

    answer = run(QUESTION, CONTEXTS["str"], provider=Paraphrasing()).answer

    assert answer.startswith("She put it among the loaves.")
    assert "Not verified" in answer


def test_a_question_too_long_to_show_is_answered_from_the_repl() -> None:
    question = FILLER * 200 + QUESTION

    assert "in the bread oven" in run(question, CONTEXTS["str"], provider=StandIn()).answer


def test_a_question_that_brings_its_text_along_is_its_own_context() -> None:
    question = f"{FILLER * 300}{FACT}\n{FILLER * 300}\n{QUESTION}"

    assert "in the bread oven" in run(question, provider=StandIn()).answer


def test_the_step_follows_from_the_conversation_alone() -> None:
    turns = [
        SAYS["measure"],
        "Output (2 characters):\nhi",
        SAYS["ask"],
        "Output:\n3 pieces asked, 2 candidate sentences",
    ]

    for length, step in ((0, "measure"), (2, "ask"), (4, "check")):
        reply = reply_as_root(conversation("text", *turns[:length]))
        assert reply.startswith(SAYS[step])  # type: ignore[index]
        assert len(parse(reply).blocks) == 1


def test_the_last_call_gets_the_best_that_was_seen_in_plain_text() -> None:
    seen = f"Output (9 characters):\n{FACT}\n  -> context, line 1, character 0\n1 verified in the context"

    reply = reply_as_root([*conversation("text", SAYS["check"], seen), Message("user", LAST_CALL)])

    assert reply == f"{FACT}\n(Found in context, line 1, character 0.)"
    assert reply_as_root([*conversation("text"), Message("user", LAST_CALL)]) == NOTHING_SEEN


def test_an_ending_that_was_not_accepted_is_put_more_simply() -> None:
    check_output = f"Output (9 characters):\n{FACT}\n  -> context, line 1, character 0\n1 verified in the context"
    turns = (
        SAYS["check"],
        check_output,
        SAYS["finish"],
        "Error:\nTraceback (most recent call last):\nNameError: found",
    )

    (block,) = parse(reply_as_root(conversation("text", *turns))).blocks

    assert block.code.startswith(f"FINAL({FACT[:10]!r}"[:-1])


def test_only_the_conversation_of_a_run_is_taken_for_one() -> None:
    run_messages = conversation("text")

    assert is_run(run_messages)
    assert not is_run(run_messages[1:])
    assert not is_run([Message("system", "Be brief."), Message("user", "Question:\nWho?\n\nContext:\nAda did.")])
    assert not is_run([])


def test_nothing_is_the_reply_that_the_code_looks_for() -> None:
    assert NOTHING in ask("str", QUESTION)
    assert NOTHING in ask_simply(QUESTION)
