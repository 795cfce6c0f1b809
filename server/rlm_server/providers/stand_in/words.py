"""Words: a text as the list of stems that ranking compares.

In: text. Out: its words in order, without case, accents and common English endings; scripts without spaces
as pairs of neighbouring characters. Nothing here knows the meaning of a word; see `vocabulary.py`.
"""

# ruff: noqa: RUF001 - the quotation marks and full-width stops of other scripts are meant

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

WORD = re.compile(r"\d+(?:[.,:]\d+)+|[^\W_]+(?:['’][^\W_]+)?")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SPELLINGS = (("lour", "lor"), ("vour", "vor"), ("bour", "bor"), ("nour", "nor"))
_ENDINGS = ("ing", "ied", "ies", "ed", "es", "s")


def stems(text: str) -> list[str]:
    """Return the words of `text` in order, folded and shortened so that "stored", "stores" and "Store's" are one.

    >>> stems("The keepers' stored 1,250 lamps")
    ['the', 'keeper', 'stor', '1250', 'lamp']
    """
    folded = fold(text)
    if folded.isascii() or not _UNSPACED.search(folded):
        return [stem(word) for word in WORD.findall(folded)]
    return [part for word in WORD.findall(folded) for part in _parts(word)]


def fold(text: str) -> str:
    """Lower-case `text`, take off its accents, and spell it the American way.

    >>> fold("Café Ærø, favourite colour")
    'cafe ærø, favorite color'
    """
    if text.isascii():
        folded = text.lower()
    else:
        marks = unicodedata.normalize("NFKD", text.casefold())
        folded = unicodedata.normalize("NFC", "".join(mark for mark in marks if not unicodedata.combining(mark)))
    for british, american in _SPELLINGS:
        folded = folded.replace(british, american)
    return folded


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Shorten a folded word by its English ending; a number loses its thousands commas."""
    if word[0].isdigit():
        return word.replace(",", "")
    word = word.split("'")[0].split("’")[0]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            word = f"{word}y" if ending in ("ied", "ies") else _undouble(word)
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _undouble(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt" else word


def _parts(word: str) -> list[str]:
    if not _UNSPACED.search(word):
        return [stem(word)]
    return [word[at : at + 2] for at in range(max(1, len(word) - 1))]
