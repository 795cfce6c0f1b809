"""Plain words: which texts of a final answer are code."""

from __future__ import annotations

import pytest

from rlm_core.plain_words import kind_of_text, names_in_braces

BOUND = {"n", "rows", "context"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("42", "words"),
        ("It is n.", "words"),
        ("None", "words"),
        ("a, b", "words"),
        ("C++", "words"),
        ("x < y", "words"),
        ("Ada (1815)", "words"),
        ('{"a": 1}', "words"),
        ("{x: 1}", "words"),
        ("n", "name"),
        ("`m`", "name"),
        ("n + 1", "code"),
        ("not n", "code"),
        ("-n", "code"),
        ("rows[0]", "code"),
        ("other[0]", "code"),
        ("f(1)", "code"),
        ("len (n)", "code"),
        ("rows.count", "code"),
        ("'%d' % m", "code"),
        ("lambda: 1", "code"),
        ("{n}", "code"),
        ("{n: 1}", "code"),
        ("there are {n} of {len(rows)}", "code"),
        ("${n}", "code"),
        ("%d of rows % n", "code"),
        ("%s and %s % (n, rows)", "code"),
        ("{} of them.format(m)", "code"),
        ("50% of m % of it", "words"),
        ("it rose by 5 % of n", "words"),
        ("value", "placeholder"),
        ("[your answer]", "placeholder"),
        ("\u2026", "placeholder"),
    ],
)
def test_the_kind_of_a_text(text: str, kind: str) -> None:
    assert kind_of_text(text, BOUND.__contains__) == kind


def test_a_long_text_is_not_parsed() -> None:
    assert kind_of_text("n + " * 2_000 + "n", BOUND.__contains__) == "words"


def test_braces_of_formulas_wait_for_no_value() -> None:
    assert not names_in_braces(r"\\frac{n}{2} x_{n} e^{n}", BOUND.__contains__)
