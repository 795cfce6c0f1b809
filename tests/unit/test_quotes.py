"""Quotes in large texts: places, levelling, and the same hits as a plain search of the levelled text."""

from __future__ import annotations

import random
import time

from hypothesis import assume, given
from hypothesis import strategies as st

from rlm_core.quotes import WINDOW_CHARS, level, needle, occurrences

WORDS = [
    "ship",
    "harbour",
    "co-operation",
    "“quoted”",
    "Ada\u2019s",
    "naïve",
    "\ufb01nal",
    "—",
    "1842",
    "-5",
    "of",
    "the",
    "🦊",
]
BLANKS = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", " \n "]


def text_of(words: list[str], blanks: list[str]) -> str:
    return "".join(word + blanks[index % len(blanks)] for index, word in enumerate(words))


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=80),
    st.lists(st.sampled_from(BLANKS), min_size=1, max_size=5),
    st.lists(st.sampled_from(BLANKS), min_size=1, max_size=5),
    st.data(),
)
def test_a_quote_is_found_whatever_its_white_space(
    words: list[str], blanks: list[str], others: list[str], data: st.DataObject
) -> None:
    text = text_of(words, blanks)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first + 1, len(words)))
    quote = text_of(words[first:last], others)
    assume(needle(quote))
    [hits] = occurrences([quote], [text])
    assert len(hits) == 1
    hit = hits[0]
    assert needle(text[hit.start : hit.end]) == needle(quote)
    assert text.encode()[hit.byte_start : hit.byte_end].decode() == text[hit.start : hit.end]
    assert hit.line == text[: hit.start].count("\n") + 1


@given(st.text(alphabet="ab -\n", max_size=400), st.text(alphabet="ab -\n", min_size=1, max_size=40))
def test_it_finds_what_a_plain_search_of_the_levelled_text_finds(text: str, quote: str) -> None:
    found = occurrences([quote], [text])[0]
    assert bool(found) == (needle(quote) != "" and needle(quote) in level(text))


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
    """1,000 quotes cost little more than 10; the bench has the figures for 100 MB."""
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
