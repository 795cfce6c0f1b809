"""Bounds of the REPL: output, values and errors of any size are shown in part."""

from __future__ import annotations

import pytest

from rlm_core.output import LIVE_CHARS
from rlm_core.repl import Repl
from rlm_core.value_text import shown


def test_output_over_the_cap_keeps_head_and_tail() -> None:
    seen = Repl(max_chars=200).execute("for i in range(1000): print(i)")
    assert seen.stdout_chars == 3890
    assert seen.stdout.startswith("0\n1\n2\n")
    assert seen.stdout.endswith("998\n999\n")
    assert "[... 3,690 of 3,890 characters not shown ...]" in seen.stdout
    assert len(seen.stdout) < 300


def test_one_huge_print_is_cut_the_same_way() -> None:
    seen = Repl(max_chars=200).execute("print('a' * 10_000_000 + 'z')")
    assert seen.stdout_chars == 10_000_002
    assert len(seen.stdout) < 300
    assert seen.stdout.endswith("az\n")


def test_live_output_is_told_as_it_comes_and_is_bounded() -> None:
    live: list[str] = []
    Repl(max_chars=200).execute("print(1)\nprint('a' * 3_000_000)\nprint(2)", on_output=live.append)
    assert live[:2] == ["1", "\n"]
    assert sum(map(len, live)) == LIVE_CHARS


def test_a_huge_value_is_cut() -> None:
    seen = Repl(max_chars=200).execute("'a' * 10_000_000")
    assert seen.value is not None
    assert seen.value.startswith("'aaa")
    assert seen.value.endswith("aaa'")
    assert "9,999,800 of 10,000,000 characters not shown" in seen.value
    assert len(seen.value) < 300


@pytest.mark.parametrize(
    ("value", "begins"),
    [
        (list(range(100_000)), "list of 100,000 items, beginning [0, 1, 2"),
        (tuple(range(100_000)), "tuple of 100,000 items, beginning [0, 1, 2"),
        (dict.fromkeys(range(100_000)), "dict of 100,000 items, beginning [(0, None), "),
        (set(range(100_000)), "set of 100,000 items, beginning ["),
        (b"ab" * 100_000, "b'abab"),
        ("x", "'x'"),
        ([[1]], "[[1]]"),
        (["a" * 1_000_000], "['aaa"),
    ],
)
def test_a_large_value_is_shown_in_part(value: object, begins: str) -> None:
    text = shown(value, 200)
    assert text.startswith(begins)
    assert len(text) < 320


def test_a_huge_error_is_cut() -> None:
    error = Repl(max_chars=200).execute("raise ValueError('x' * 1_000_000)").error
    assert error is not None
    assert len(error) < 300
    assert "not shown" in error


def test_a_repr_that_is_a_huge_text_is_cut() -> None:
    value = Repl(max_chars=200).execute("class Odd:\n    def __repr__(self): return 'r' * 1_000_000\nOdd()").value
    assert value is not None
    assert len(value) < 300
