"""Words that mean the same are compared as the same."""

from __future__ import annotations

import pytest

from rlm_server.providers.stand_in.words import fold, stem, stems


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stored", "stores"),
        ("store", "storing"),
        ("planned", "planning"),
        ("cities", "city"),
        ("carried", "carry"),
        ("Holm's", "holm"),
        ("colour", "color"),
        ("favourites", "favorite"),
        ("1,250", "1250"),
        ("Café", "cafe"),
        ("boxes", "box"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert stems(one) == stems(other)


@pytest.mark.parametrize(("one", "other"), [("glass", "gla"), ("four", "for"), ("Holm", "Helm"), ("4411", "4412")])
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stems(one) != stems(other)


def test_text_without_spaces_is_compared_by_pairs_of_characters() -> None:
    assert stems("秘密代码") == ["秘密", "密代", "代码"]
    assert stems("码") == ["码"]


@pytest.mark.parametrize("text", ["", "---", "\ud800", "a" * 10_000, "'", "_"])
def test_any_text_has_stems_or_none(text: str) -> None:
    assert isinstance(stems(text), list)


def test_folding_an_ascii_text_only_changes_case_and_spelling() -> None:
    assert fold("Harbour LIGHT 7") == "harbor light 7"
    assert stem("x") == "x"
