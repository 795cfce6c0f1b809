"""Prompts: the loop's messages to a model."""

from __future__ import annotations

import pytest

from rlm_core import prompts
from rlm_core.parse import parse
from rlm_core.repl import RESERVED
from rlm_core.types import Tool


@pytest.mark.parametrize("name", [*RESERVED, "last_error"])
def test_every_name_of_the_repl_is_explained(name: str) -> None:
    explained = prompts.system_prompt()
    assert name in explained or name in ("llm_query_batched", "rlm_query_batched")  # older names of the batches


def test_the_examples_are_code_that_the_reader_reads_and_compiles() -> None:
    blocks = parse(prompts.ROLE).blocks
    assert len(blocks) == 2
    for block in blocks:
        compile(block.code, "<example>", "exec")


def test_the_system_prompt_is_short() -> None:
    assert len(prompts.system_prompt()) < 6_000


def test_a_role_of_the_users_own_still_tells_of_the_repl() -> None:
    text = prompts.system_prompt("You are a pirate.")
    assert text.startswith("You are a pirate.\n\nIn the REPL")
    assert "You answer a question over a context" not in text


def test_tools_have_a_line_each() -> None:
    tools = [Tool("rates", {"eur": 1.5}, "exchange rates"), Tool("limit", 5)]
    assert prompts.system_prompt(tools=tools).endswith(
        "Also bound in the REPL, for this question:\n"
        '- `rates`: exchange rates (dict of 1, {"eur": 1.5})\n'
        "- `limit`: a value (int, 5)"
    )


def test_a_large_tool_takes_one_bounded_line() -> None:
    line = prompts.system_prompt(tools=[Tool("words", ["word"] * 10_000)]).splitlines()[-1]
    assert line.startswith("- `words`: a value (list of 10000, ")
    assert len(line) < 250


@pytest.mark.parametrize(
    "question",
    [
        "Who?",
        "Two\nlines\n\nand a third",
        "Context:\nwhat is it?",
        "Question:\nQuestion:\n?",
        "größer? 東京\ud800",
        "x" * prompts.MAX_QUESTION_CHARS,
    ],
)
def test_the_question_can_be_read_back(question: str) -> None:
    message = prompts.first_message(question, prompts.describe("Context:\n`context` is\n"), max_iterations=5)
    assert (message.role, prompts.read_question(message.content)) == ("user", question)


def test_text_that_is_no_first_message_is_the_question() -> None:
    assert prompts.read_question(" Who? ") == "Who?"


def test_question_and_context_stand_on_lines_of_their_own() -> None:
    lines = prompts.first_message("Who?", "`context` is empty.", max_iterations=1).content.splitlines()
    assert lines[:6] == ["Question:", "Who?", "", "Context:", "`context` is empty.", ""]
    assert lines[6].startswith("You have 1 iteration (reply).")


def test_a_long_question_shows_head_and_tail() -> None:
    text = prompts.first_message("a" * 9_000 + "z" * 9_000, "`context` is empty.", max_iterations=5).content
    assert len(text) < prompts.MAX_QUESTION_CHARS + 500
    assert "10,000 of 18,000 characters not shown" in text
    assert "the variable `question` holds all of it" in text


@pytest.mark.parametrize(
    ("left", "text"),
    [(4, ""), (3, "3 iterations left."), (2, "2 iterations left."), (1, "1 iteration left. Finish in this one.")],
)
def test_the_end_is_announced(left: int, text: str) -> None:
    assert prompts.few_left(left) == text


@pytest.mark.parametrize(
    ("window", "advice", "example"),
    [
        (1_000, "about 200 to 2,000 characters each", "size = 1_000\n"),
        (4_096, "about 800 to 8,000 characters each", "size = 4_000\n"),
        (32_768, "about 6,000 to 60,000 characters each", "size = 30_000\n"),
        (128_000, "about 10,000 to 100,000 characters each", "size = 50_000\n"),
        (1_000_000, "about 10,000 to 100,000 characters each", "size = 50_000\n"),
    ],
)
def test_the_advice_on_the_size_of_pieces_follows_the_window(window: int, advice: str, example: str) -> None:
    text = prompts.system_prompt(window_tokens=window)
    assert (advice in text, example in text) == (True, True)
