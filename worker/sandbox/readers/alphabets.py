# ruff: noqa: RUF001, RUF002  letters of other alphabets are its data
"""Alphabets: the coding of a text in one byte a letter, by the letters that its language has besides a to z.

Statistics of a library take French for Polish where each letter is one of both codings; a language has few such
letters, and a text that holds no other is in the coding that gives them.
"""

from __future__ import annotations

import re

_WESTERN = ("äöüß", "àâæçéèêëîïôùûüÿœ", "áéíñóúüçàèïòªº", "áâãàçéêíóôõúü", "àèéìòùî", "åäöæøé", "áðéíóúýþæö", "éèëïöüó")
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľňóôšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ")
_CODINGS = {
    "cp1252": _WESTERN, "cp1250": _CENTRAL, "iso8859-2": _CENTRAL, "cp1254": ("çğıöşüâîûi\u0307",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),
}  # fmt: skip
"""Coding -> the letters of its languages, each beyond ASCII."""
_SIGNS = frozenset("\xa0“”„‘’‚–—…«»‹›€£°§·¿¡´©®™½¼¾²³µ×±‰•№")
_BETWEEN = re.compile(r"(?<=[^\W\d_])[“”„‚…«»‹›€£°§¿¡´©®™½¼¾²³±‰•№](?=[^\W\d_])")
"""Signs between two letters, where another coding has a letter."""
MAX_OTHERS = 0.02
"""Share of the letters that may be of no language: names, and words of others."""
DENSE = 0.06
"""Share of such letters among all, which no language of the west reaches and those of the centre do."""
PROBED_BYTES = 32 << 10
"""Bytes that are looked at, from shortly before the first one beyond ASCII."""
BYTES_BEFORE = 1_024


def coding_of(data: bytes) -> str:
    """The coding whose letters are those of one language, or of several of the west; `""` where none is.

    >>> coding_of("Où est passée la clé ? Ça, là-bas, près de l’entrée.".encode("cp1252"))
    'cp1252'
    """
    beyond = re.search(rb"[\x80-\xff]", data)
    begin = max(0, beyond.start() - BYTES_BEFORE) if beyond else 0
    data = data[begin : begin + PROBED_BYTES]
    best, least, found = "", 1.0, ""
    for coding, alphabets in _CODINGS.items():
        text, letters = _decoded(data, coding)
        share = _others(text, letters, alphabets)
        is_better = share < least or (
            share == least and best == "cp1252" and text != found and _is_dense(text, letters)
        )
        if share <= MAX_OTHERS and is_better:
            best, least, found = coding, share, text
    return best or _of_several(data)


def _of_several(data: bytes) -> str:
    text, letters = _decoded(data, "cp1252")
    fits = not _is_dense(text, letters) and _others(text, letters, ("".join(_WESTERN),)) <= MAX_OTHERS
    return "cp1252" if fits else ""


def _decoded(data: bytes, coding: str) -> tuple[str, list[str]]:
    """The text in a coding, and its letters beyond ASCII."""
    text = data.decode(coding, "replace")
    return text, [letter for letter in text if letter > "\x7f" and letter not in _SIGNS]


def _is_dense(text: str, letters: list[str]) -> bool:
    return len(letters) > DENSE * sum(map(str.isalpha, text))


def _others(text: str, letters: list[str], alphabets: tuple[str, ...]) -> float:
    """Share of the letters that the language which fits best does not have."""
    if not letters:
        return 1.0
    between = len(_BETWEEN.findall(text))
    folded = "".join(letters).lower()
    return min((between + len(folded.translate(_deleted(each)))) / len(letters) for each in alphabets)


def _deleted(letters: str) -> dict[int, None]:
    return dict.fromkeys(map(ord, letters))
