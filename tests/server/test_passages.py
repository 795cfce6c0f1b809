"""A text is cut where people would quote it, whatever it is made of."""

from __future__ import annotations

import textwrap
import time
from itertools import pairwise

import pytest

from rlm_server.providers.stand_in.passages import LONGEST, passages

PROSE = (
    "The ship left Bergen at dawn with nine men and a goat. Nobody had told the owner, Mr. J. Holm, that the mast was "
    "split. By noon the wind had turned and the goat was seasick. They came back in the evening, wet, hungry and wiser."
)


def test_a_sentence_of_prose_is_a_passage() -> None:
    assert passages(PROSE)[:2] == [
        "The ship left Bergen at dawn with nine men and a goat.",
        "Nobody had told the owner, Mr. J. Holm, that the mast was split.",
    ]


def test_hard_wrapped_prose_is_joined() -> None:
    wrapped = textwrap.fill(PROSE, 60)

    assert passages(wrapped) == passages(PROSE)


def test_one_long_line_does_not_hide_that_the_rest_is_wrapped() -> None:
    lines = textwrap.fill(PROSE * 3, 60).splitlines()
    lines[2] += " and a very long addition that sticks out"

    assert "By noon the wind had turned and the goat was seasick." in passages("\n".join(lines))


@pytest.mark.parametrize(
    "line",
    [
        "2024-03-04 12:00:01 ERROR disk failed. Retrying. Failed again",
        '17,Bergen,0.5,"Nine men. One goat.",yes',
        "Ledger 17; coal; 40 kg; Holm and Sons; paid. In full",
        '{"id": 17, "note": "Nine men. One goat."}',
        "| 17 | Bergen. Harbour | nine |",
        "colour=teal size=9. Other=3",
    ],
)
def test_a_record_is_a_passage_whole(line: str) -> None:
    assert passages(f"{line}\n{line}")[0] == line


def test_a_sentence_that_leans_on_the_one_before_comes_with_it_too() -> None:
    long = "Here stands much more of the same kind. " * 12

    assert "Ada found the key. She hid it in the oven." in passages(f"{long}Ada found the key. She hid it in the oven.")


def test_text_without_sentence_ends_is_cut_into_windows_that_overlap() -> None:
    words = [f"word{number}" for number in range(500)]

    found = passages(" ".join(words))

    assert max(map(len, found)) <= LONGEST
    assert all(any(f"{one} {two}" in passage for passage in found) for one, two in pairwise(words))


def test_a_code_that_ends_a_sentence_is_no_abbreviation() -> None:
    assert passages("The code is QX-7291-K. It rained.")[0] == "The code is QX-7291-K."


def test_scripts_without_spaces_are_cut_at_their_own_stops() -> None:
    assert passages("今日は雨です。秘密代码是4471。")[:2] == ["今日は雨です。", "秘密代码是4471。"]


@pytest.mark.parametrize("text", ["", "\n \n", "\x00", "\ud800", "."])
def test_almost_nothing_is_no_fault(text: str) -> None:
    assert all(isinstance(passage, str) for passage in passages(text))


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["J. ", "a. b ", "x", "a,b", ",", ";a", "1;", ". ", "?! ", "(", "word ", "Mr. x\n", "=\n", "e.g. "]
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    started = time.process_time()

    passages(text)

    assert time.process_time() - started < 5


def test_a_table_gives_its_header_with_the_row_below() -> None:
    text = "Codes of the gates.\n\ngate\taccess code\nharbor gate\tK-4711\nquay\tK-4712\n\n[sheet]\na,b\n1,2\n"
    found = passages(text)
    assert [each for each in found if "K-4711" in each] == ["harbor gate K-4711", "gate access code harbor gate K-4711"]
    assert "a,b 1,2" in found
    assert not any("K-4711" in each and "K-4712" in each for each in found)


def test_sentences_with_commas_are_no_table() -> None:
    assert passages("One, two.\nThree, four.") == passages("One, two.\nThree, four.\n")
    assert not any("two. Three" in each for each in passages("It rained, often.\n\nIt snowed, seldom."))
