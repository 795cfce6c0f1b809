"""Quotes in large texts: levelling, borders of pieces and windows, and the work that they cost."""

from __future__ import annotations

import random
import time

import pytest

from rlm_core import quotes as quotes_module
from rlm_core.quotes import WINDOW_CHARS, level, occurrences


def test_a_minus_is_not_levelled_away() -> None:
    assert occurrences(["a profit of 5"], ["a profit of -5"]) == [[]]


def test_a_quote_over_the_border_of_two_pieces_and_of_two_windows_is_found() -> None:
    words = [f"w{number}" for number in range(3 * WINDOW_CHARS // 5)]
    text = " ".join(words)
    quotes = [" ".join(words[at : at + 12]) for at in range(0, len(words) - 12, 97)]
    pieces = [text[at : at + 1_000] for at in range(0, len(text), 1_000)]
    for hits, quote in zip(occurrences(quotes, pieces), quotes, strict=True):
        assert [text[hit.start : hit.end] for hit in hits] == [quote]


def test_text_that_is_all_the_same_costs_no_more() -> None:
    text, quotes = "ab" * 500_000, ["ab" * 30 + str(number) for number in range(50)]
    began = time.process_time()
    assert not any(occurrences(quotes, [text]))
    assert time.process_time() - began < 20


def test_the_work_grows_with_the_text_and_not_with_the_quotes() -> None:
    """1,000 quotes cost little more than 10."""
    drawn = random.Random(7)
    words = ["".join(drawn.choices("abcdefghij", k=6)) for _ in range(5_000)]
    text = " ".join(drawn.choices(words, k=300_000))
    quotes = [" ".join(drawn.choices(words, k=14)) for _ in range(1_000)]
    few, many = seconds(quotes[:10], text), seconds(quotes, text)
    assert many < 12 * few + 0.5


def seconds(quotes: list[str], text: str) -> float:
    began = time.process_time()
    occurrences(quotes, [text])
    return time.process_time() - began


def test_twice_the_text_costs_twice_the_characters_that_are_levelled(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (levelled_chars(megabytes, monkeypatch) for megabytes in (1, 2))
    assert 1_000_000 < few < 3_000_000
    assert many < 2.1 * few


def levelled_chars(megabytes: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Characters that pass through `level` while 1,000 quotes are looked for in so many megabytes."""
    drawn = random.Random(7)
    words = ["".join(drawn.choices("abcdefghij", k=6)) for _ in range(5_000)]
    text = " ".join(drawn.choices(words, k=megabytes * 1_000_000 // 7))
    wanted = [" ".join(drawn.choices(words, k=14)) for _ in range(1_000)]
    passed = 0

    def counted(part: str) -> str:
        nonlocal passed
        passed += len(part)
        return level(part)

    with monkeypatch.context() as patch:
        patch.setattr(quotes_module, "level", counted)
        occurrences(wanted, [text])
    return passed
