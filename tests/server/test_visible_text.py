"""Visible text: no text of others can command a terminal."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_server.headless import visible_text
from rlm_server.headless.progress import Progress
from rlm_server.headless.visible_text import on_one_line, visible

COMMANDS = {
    "colour": "\x1b[31m",
    "cursor": "\x1b[2A\x1b[K",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;http://example.org\x1b\\",
    "clipboard": "\x1b]52;c;eA==\x07",
    "C1": "\x9b31m\x9d0;x\x9c",
    "return": "safe\rover",
    "backspace": "ab\b\bcd",
    "delete": "\x7f",
    "override": "\u202eabc\u202c",
    "isolate": "\u2067abc\u2069",
    "mark": "\u200f\u061c",
    "nothing seen": "\u200b\u2060\ufeff",
    "tags": "\U000e0041\U000e007f",
    "lines": "a\u2028b\u2029c\x0b\x0c\x85",
    "surrogate": "\ud800",
}


def test_examples_in_docstrings_are_true() -> None:
    assert doctest.testmod(visible_text).failed == 0


@pytest.mark.parametrize("text", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_is_written_out(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert shown.isascii()


@pytest.mark.parametrize("text", ["naïve 🦊 👩‍👩‍👧 می‌خواهم 日本語\n\tx", "a\u00a0b", ""])
def test_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert not set(map(ord, visible(text))) & ({*range(32), *range(0x7F, 0xA0)} - {9, 10})
    assert "\n" not in on_one_line(text)


EVENTS = [
    {"type": "notice", "text": "{}"},
    {"type": "block_started", "code": "{}"},
    {"type": "output", "text": "{}"},
    {"type": "egress", "denied": "{}"},
    {"type": "block_finished", "observation": {"value": "{}", "error": "{}"}},
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
@pytest.mark.parametrize("text", COMMANDS.values(), ids=COMMANDS.keys())
def test_progress_makes_text_of_others_visible(event: dict[str, object], text: str) -> None:
    def filled(value: object) -> object:
        if isinstance(value, dict):
            return {name: filled(item) for name, item in value.items()}
        return value.replace("{}", text) if isinstance(value, str) else value

    written: list[str] = []
    progress = Progress(written.append)
    progress(filled(event))  # type: ignore[arg-type]
    assert "".join(written).replace("\n", "").isprintable()
