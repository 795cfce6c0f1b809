"""Quotes by hypothesis: found whatever their white space, and where a plain search of the levelled text finds them."""

from __future__ import annotations

import unicodedata
from random import Random
from typing import Literal

from hypothesis import assume, given
from hypothesis import strategies as st

from rlm_core.quotes import level, needle, occurrences

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


VIETNAMESE = ["Tất", "cả", "mọi", "người", "sinh", "được", "tự", "và", "bình", "đẳng", "phẩm", "quyền", "lợi"]


@given(st.randoms(use_true_random=False), st.sampled_from(["NFC", "NFD"]), st.sampled_from(["NFC", "NFD"]))
def test_letters_and_their_marks_keep_the_bounds_exact_in_a_long_text(
    random: Random, of_text: Literal["NFC", "NFD"], of_quote: Literal["NFC", "NFD"]
) -> None:
    words = [random.choice(VIETNAMESE) for _ in range(random.choice([40, 900]))]
    first = random.randrange(len(words) - 12)
    text = unicodedata.normalize(of_text, " ".join(words))
    quote = " ".join(words[first : first + 12])
    [hits] = occurrences([unicodedata.normalize(of_quote, quote)], [text])
    assert unicodedata.normalize("NFC", text[hits[0].start : hits[0].end]) == quote
