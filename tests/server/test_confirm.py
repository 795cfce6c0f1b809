"""The question on the terminal before a request leaves."""

from __future__ import annotations

import asyncio
import os
import pty
import re
from collections.abc import Iterator
from typing import TextIO

import pytest

from rlm_server.command.confirm import INVERSE, Confirm, Screen, in_full, summary

REQUEST = {
    "kind": "sub",
    "to": "http://127.0.0.1:8000 → m",
    "models": ["m"],
    "prompts": 7,
    "chars": 12_345,
    "bytes": 12_400,
    "tokens": 3_087,
    "price": None,
    "context_chars": {"added": 1_000, "left": 20, "of": 4_000},
    "texts": ["short\x1b[31m\nred", *["x" * 1_000] * 6],
}


@pytest.mark.parametrize(("price", "told"), [(None, "price unknown"), (0.01234, "price about 0.0123 USD")])
def test_the_question_shows_the_numbers_and_the_texts(price: float | None, told: str) -> None:
    text = summary(REQUEST | {"price": price})
    assert "To http://127.0.0.1:8000 → m: sub-calls, 7 prompts, 12,345 characters (12,400 bytes)" in text
    assert told in text
    assert "1,000 characters would leave for the first time; 20 of 4,000 have left" in text
    assert "  | short\\x1b[31m\\nred\n" in text, "a prompt cannot write to the terminal as it likes"
    assert f"  | ... {'x' * 400}\n" in text
    assert "... and 2 more prompts" in text


def test_the_question_names_each_image() -> None:
    scan = {"prompt": 0, "source": "scan\x1b[31m.pdf", "page": 2, "width": 600, "height": 800, "bytes": 9_000,
            "type": "image/png", "sha256": "a1" * 32}  # fmt: skip
    text = summary(REQUEST | {"images": [scan, *[scan | {"source": "", "page": None}] * 20]})
    assert (
        "  # image of prompt 1: scan\\x1b[31m.pdf, page 2, 600 x 800 px, 9,000 bytes, image/png, SHA-256 a1a1" in text
    )
    assert "  # image of prompt 1: made by code, 600 x 800 px" in text
    assert re.search(r"  # \.\.\. and \d+ more images\n", text)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int, TextIO]]:
    """Both ends of a terminal, and its output as a stream."""
    person, program = pty.openpty()
    with os.fdopen(os.dup(program), "w") as stream:
        yield person, program, stream
    os.close(person)
    os.close(program)


def read_until(person: int, end: str) -> str:
    said = ""
    while not said.endswith(end):
        said += os.read(person, 65_536).decode()
    return said.replace("\r\n", "\n")


def answers(terminal: tuple[int, int, TextIO], *lines: str, before: str = "") -> tuple[str, str]:
    """The decision, and all that the terminal shows, where a person types `lines`, each after a question."""
    person, program, stream = terminal
    screen = Screen(stream)
    confirm = Confirm(screen, program)
    os.write(person, before.encode())

    async def main() -> tuple[str, str]:
        asking = asyncio.create_task(confirm(REQUEST))
        said = ""
        for line in lines:
            said += await asyncio.to_thread(read_until, person, "Send? [y/N] ")
            screen.write("printed by model code meanwhile\n")
            os.write(person, line.encode() + b"\n")
        return await asking, said

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("line", "decision"),
    [("y", "allow"), ("YES", "allow"), ("", "deny"), ("n", "deny"), ("yy", "deny"), ("v9x", "deny")],
)
def test_yes_alone_lets_it_leave(terminal: tuple[int, int, TextIO], line: str, decision: str) -> None:
    assert answers(terminal, line)[0] == decision


def test_v_shows_every_text_in_full_and_asks_again(terminal: tuple[int, int, TextIO]) -> None:
    decision, said = answers(terminal, "v", "v 1", "n")
    assert decision == "deny"
    assert said.count("Text 1 of 7, 14 characters:\n  | short\\x1b[31m\n  | red\n") == 2
    assert said.count(f"Text 7 of 7, 1,000 characters:\n  | {'x' * 1_000}\n") == 1
    assert said.count("Send? [y/N] ") == 3


def test_the_question_has_a_mark_and_a_screen_of_its_own(terminal: tuple[int, int, TextIO]) -> None:
    _, said = answers(terminal, "v", "n")
    marks = re.findall(re.escape(INVERSE) + r" pyodide-rlm ([0-9a-f]{4}) ", said)
    assert len(marks) == 2
    assert len(set(marks)) == 1
    assert "printed by model code" not in said, "it waits until the question is answered"
    assert "printed by model code meanwhile" in read_until(terminal[0], "meanwhile\r\n")


def test_keys_that_were_pressed_before_the_question_are_dropped(terminal: tuple[int, int, TextIO]) -> None:
    assert answers(terminal, "n", before="y\ny\n")[0] == "deny"


def test_one_text_of_many_or_all_are_shown() -> None:
    assert in_full(["a", "b"], "2") == "Text 2 of 2, 1 characters:\n  | b\n"
    assert in_full(["a", "b"], "3").count("Text") == 2
