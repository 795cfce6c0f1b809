"""`builtin:extractive` as a provider, and as the sub model that quotes."""

from __future__ import annotations

import asyncio
import time

import pytest

from rlm_core.prompts import first_message, system_prompt
from rlm_core.types import Message, Reply
from rlm_server.providers.stand_in.answering import NO_TEXT, read_prompt, reply_as_sub
from rlm_server.providers.stand_in.extractive import DELTAS, Extractive
from rlm_server.providers.stand_in.root_code import NOTHING
from rlm_server.providers.upstream import OfferedModel, Upstream, UpstreamCall, UpstreamError

TEXT = "It rained all day. Ada Holm has the key of the tower. The goat was seasick."
ANSWER = "Ada Holm has the key of the tower."
QUESTION = "Who has the key of the tower?"


@pytest.mark.parametrize(
    "prompt",
    [
        f"Question: {QUESTION}\n\nText:\n{TEXT}",
        f"Quote what answers.\n\nQuestion:\n{QUESTION}\n\nText:\n{TEXT}",
        f"**Question:** {QUESTION}\n**Context:** {TEXT}",
        f"Context:\n{TEXT}\n\nQuestion: {QUESTION}",
        f"Passage 3 of 9:\n{TEXT}\n\nTask: {QUESTION}",
        f"{QUESTION}\n\n{TEXT}",
        f"{TEXT}\n\n{QUESTION}",
        f"{QUESTION} Say NONE if it is not there.\n\n{TEXT}",
        f"Question: {QUESTION}\nAnswer from this text alone, quoting it; say NONE if it is not there.\n\n{TEXT}",
        f"Question: {QUESTION}\nAnswer from this text alone, quoting it.\n\nDocument:\n{TEXT}",
    ],
)
def test_the_answer_is_quoted_from_prompts_of_many_forms(prompt: str) -> None:
    assert reply_as_sub(prompt) == ANSWER


def test_a_text_without_an_answer_is_said_to_have_none() -> None:
    assert reply_as_sub(f"Question: Who sank the ferry?\n\nText:\n{TEXT}") == NOTHING


@pytest.mark.parametrize("prompt", ["", "Hello", "Question: Who?"])
def test_a_prompt_without_text_is_told_what_this_is(prompt: str) -> None:
    assert reply_as_sub(prompt) == NO_TEXT


def test_of_candidates_whole_lines_are_repeated() -> None:
    line = "It was late. Ada Holm has the key of the tower."

    reply = reply_as_sub(f"Question: {QUESTION}\n\nCandidates:\nIt rained on the tower.\n{line}")

    assert reply == line


def test_labels_inside_the_text_do_not_take_it_apart() -> None:
    text = f"{TEXT}\nQuestion: What is this?\nContext: none"

    assert read_prompt(f"Question: {QUESTION}\n\nText:\n{text}") == (QUESTION, text, False)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["Question: x\n", "Text: x\n", "Question: x\nText: y\n", "#", "\n", " "])
def test_no_prompt_takes_long(unit: str) -> None:
    started = time.process_time()

    reply_as_sub(unit * (300_000 // len(unit)))

    assert time.process_time() - started < 5


def ask(*messages: Message, model: str = "extractive") -> Reply:
    return asyncio.run(Extractive().complete(messages, model))


def test_a_bare_prompt_is_answered_as_sub_model() -> None:
    assert ask(Message("user", f"Question: {QUESTION}\n\nText:\n{TEXT}")).text == ANSWER


def test_the_conversation_of_a_run_is_answered_with_code_whatever_its_system_prompt() -> None:
    opening = first_message(QUESTION, "`context` is a str of 9 characters in 1 line.", max_iterations=9)

    for system in (system_prompt(), system_prompt("Be brief.")):
        assert "```repl\n" in ask(Message("system", system), opening).text


def test_it_counts_calls_and_no_tokens() -> None:
    reply = ask(Message("user", QUESTION))

    assert (reply.model, reply.usage.calls) == ("builtin:extractive", 1)
    assert reply.usage.input_tokens == reply.usage.output_tokens == 0


def test_another_model_is_refused_by_name() -> None:
    with pytest.raises(UpstreamError, match="no model builtin:oracle"):
        ask(Message("user", QUESTION), model="oracle")


def test_it_is_an_upstream_with_one_model() -> None:
    upstream: Upstream = Extractive()

    assert upstream.name == "builtin"
    assert asyncio.run(upstream.models()).models == (OfferedModel("extractive"),)


def test_the_pieces_of_a_stream_make_the_reply() -> None:
    opening = first_message(QUESTION, "`context` is a str of 9 characters in 1 line.", max_iterations=9)

    async def collect() -> list[str | Reply]:
        conversation = (Message("system", system_prompt()), opening)
        return [piece async for piece in Extractive().stream(UpstreamCall(conversation, "extractive"))]

    *pieces, reply = asyncio.run(collect())
    assert isinstance(reply, Reply)
    assert 1 < len(pieces) <= DELTAS
    assert "".join(str(piece) for piece in pieces) == reply.text
