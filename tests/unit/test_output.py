"""Output of any length in bounded memory."""

from __future__ import annotations

import sys

import pytest

from rlm_core.output import DESCRIPTORS, Output, cut
from rlm_core.repl import Repl


@pytest.mark.parametrize(
    ("text", "max_chars", "kept"),
    [
        ("", 4, ""),
        ("abcd", 4, "abcd"),
        ("abcde", 4, "ab\n[... 1 of 5 characters not shown ...]\nde"),
        ("abcde", 3, "ab\n[... 2 of 5 characters not shown ...]\ne"),
        ("abcde", 1, "a\n[... 4 of 5 characters not shown ...]\n"),
    ],
)
def test_cut_keeps_head_and_tail(text: str, max_chars: int, kept: str) -> None:
    assert cut(text, max_chars) == kept


def test_a_text_that_was_cut_before_counts_from_its_first_length() -> None:
    assert "[... 96 of 100 characters not shown ...]" in cut(cut("x" * 100, 10), 4, total=100)


@pytest.mark.parametrize(
    "pieces", [["0123456789" * 50], list("0123456789" * 50), ["01234", "56789"] * 50, [""] * 9 + ["0123456789" * 50]]
)
@pytest.mark.parametrize("max_chars", [0, 1, 2, 7, 100, 499, 500, 1000])
def test_output_in_pieces_is_cut_as_if_it_were_one(pieces: list[str], max_chars: int) -> None:
    output = Output(max_chars, lambda text: None)
    for piece in pieces:
        output.write(piece)
    assert output.text() == cut("0123456789" * 50, max_chars)
    assert output.chars == 500


def test_output_takes_bounded_memory() -> None:
    output = Output(1_000, lambda text: None)
    for number in range(100_000):
        output.write(f"line {number}\n")
    held = sum(sys.getsizeof(part) for part in output._head + output._tail)
    assert held < 200_000
    assert output.text().endswith("line 99999\n")


def test_bytes_of_the_file_descriptors_stand_where_they_were_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """`written` stands for the host's collection: a block writes to it as `os.write(1, ...)` does in a worker."""
    written = bytearray(b"from before the block")

    def take() -> bytes:
        data = bytes(written)
        written.clear()
        return data

    monkeypatch.setattr(DESCRIPTORS, "take", take)
    repl = Repl()
    repl.namespace["write"] = written.extend
    observation = repl.execute("print(1)\nwrite(b'two\\xff ')\nprint(3)\nwrite(b'4')\n1 / 0")
    assert observation.stdout == "1\ntwo\\xff 3\n4"
    assert observation.error is not None
    assert repl.execute("print(5)").stdout == "5\n"
