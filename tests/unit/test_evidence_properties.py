"""Evidence by table and by hypothesis: each alteration of a quote, over several sources, has its status."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rlm_core.evidence import checked
from rlm_core.types import Evidence, EvidenceStatus

SENTENCES = {
    "lease.txt": (
        "The lease of the old mill was signed on 4 May 1842 by Ada Lovelace before two witnesses.",
        "It ends, unless renewed in writing, after twelve years of uninterrupted possession.",
    ),
    "harbour.md": (
        "The harbour master keeps the keys of the northern tower in a green box below the stairs.",
        "Ships of more than forty tonnes must anchor outside the breakwater until the morning tide.",
    ),
    "report.csv": (
        "During the winter of 1903 the cooperative distributed nine hundred blankets among its members.",
        "Every committee member received a printed statement of the remaining expenditure in March.",
    ),
}
SOURCES = {
    name: "".join(f"Line {line} of {name} fills the room.\n" for line in range(40))
    + f"{first}\n"
    + "".join(f"Nothing of note happens in line {line} either.\n" for line in range(40))
    + f"{second}\n"
    for name, (first, second) in SENTENCES.items()
}


def hyphenated(text: str) -> str:
    """The longest word divided at a line's end."""
    word = max(text.replace(".", "").replace(",", "").split(), key=len)
    return text.replace(word, f"{word[:4]}-\n{word[4:]}", 1)


def reworded(text: str) -> str:
    words = text.split()
    return " ".join([*words[:5], "supposedly", *words[6:]])


ALTERATIONS: dict[str, tuple[EvidenceStatus, Callable[[str], str]]] = {
    "exact": ("found", str),
    "cut": ("found", lambda text: text[12:-15]),
    "re-spaced": ("found", lambda text: "\n  ".join(text.split())),
    "without spaces' breaks": ("found", lambda text: text.replace(" ", "\u00a0")),
    "hyphenated": ("found", hyphenated),
    "reworded": ("changed", reworded),
    "translated": ("missing", lambda text: f"Übersetzt lautet der Satz {len(text)} ganz anders, nämlich gar nicht."),
}
TABLE = [
    (alteration, name, index, said)
    for alteration in ALTERATIONS
    for name in SENTENCES
    for index in (0, 1)
    for said in (None, name, next(other for other in SENTENCES if other != name))
]


def test_the_table_is_large_enough() -> None:
    assert len(TABLE) >= 80


@pytest.mark.parametrize(("alteration", "name", "index", "said"), TABLE)
def test_the_status_of_an_altered_quote(alteration: str, name: str, index: int, said: str | None) -> None:
    status, alter = ALTERATIONS[alteration]
    [item] = checked([Evidence(alter(SENTENCES[name][index]), said)], SOURCES)
    expected = "elsewhere" if status == "found" and said not in (None, name) else status
    assert item.status == expected, item
    if status != "missing":
        assert (item.source, item.line) == (name, 41 if index == 0 else 82)


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("between", [" ... ", " [...] ", " \u2026 ", " "])
def test_the_status_of_a_stitched_quote(name: str, between: str) -> None:
    [item] = checked([Evidence(between.join(SENTENCES[name]))], SOURCES)
    assert (item.status, item.source, item.line) == ("stitched", name, 41)


BLANKS = st.sampled_from([" ", "  ", "\n", "\r\n ", "\t", "\u00a0", " \u2009"])


@given(st.sampled_from(sorted(SENTENCES)), st.sampled_from([0, 1]), st.lists(BLANKS, min_size=1, max_size=4), st.data())
def test_any_cut_in_any_spacing_and_division_is_found(
    name: str, index: int, blanks: list[str], data: st.DataObject
) -> None:
    words = SENTENCES[name][index].split()
    first = data.draw(st.integers(0, len(words) - 4))
    last = data.draw(st.integers(first + 4, len(words)))
    quote = "".join(word + blanks[at % len(blanks)] for at, word in enumerate(words[first:last]))
    at = data.draw(st.integers(1, len(quote) - 1))
    if quote[at - 1 : at + 1].isalpha():
        quote = f"{quote[:at]}-\n{quote[at:]}"
    [item] = checked([Evidence(quote)], SOURCES)
    assert (item.status, item.source, item.line) == ("found", name, 41 if index == 0 else 82)
    assert item.start is not None
    assert SOURCES[name][item.start : item.end].split() == words[first:last]


@given(st.text(alphabet="äöüßqxzjv ", min_size=30, max_size=200))
def test_text_of_another_language_is_missing(quote: str) -> None:
    assume(len(quote.split()) > 3)
    [item] = checked([Evidence(quote)], SOURCES)
    assert (item.status, item.source, item.start) == ("missing", None, None)
