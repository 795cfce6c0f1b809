# ruff: noqa: RUF001, RUF002  letters of other alphabets are its data
"""Alphabets: the coding of a text in one byte a letter, by the letters that its language has besides a to z.

Statistics of a library take French for Polish where each letter is one of both codings; a language has few such
letters, and a text that holds no other is in the coding that gives them.
"""

from __future__ import annotations

import re

_WESTERN = ("äöüß", "àâæçéèêëîïôùûüÿœ", "áéíñóúüçàèïòªº", "áâãàçéêíóôõúü", "àèéìòùî", "åäöæøé", "áðéíóúýþæö", "éèëïöüó")
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľňóôšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ")
_CYRILLIC = ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя")
_CODINGS = {
    "cp1252": _WESTERN, "cp1250": _CENTRAL, "iso8859-2": _CENTRAL, "cp1254": ("çğıöşüâîûi\u0307",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"), "cp850": _WESTERN, "mac_roman": _WESTERN,
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),
    **dict.fromkeys(("cp1251", "koi8-r", "cp866"), _CYRILLIC),
}  # fmt: skip
"""Coding -> the letters of its languages, each beyond ASCII; of two that fit alike, the first is taken."""
_SIGNS = frozenset("\xa0“”„‘’‚–—…«»‹›€£°§·¿¡´©®™½¼¾²³µ×±‰•№")
_BETWEEN = re.compile(
    r"(?<=[^\W\d_])[“”„‚…«»‹›€£°§¿¡´©®™½¼¾²³±‰•№](?=[^\W\d_])"
    r"|[a-zß-öø-ÿ][À-ÖØ-Þ]|[а-яё][А-ЯЁ]|[A-Za-z][а-яёא-ת]|[А-яёא-ת][A-Za-z]|[ךםןףץ][א-ת]"
)
"""Signs between two letters, where another coding has a letter; letters of two scripts, or that are out of place."""
_NORTHERN = frozenset("ßäåæéöøü")
_OUT_OF_PLACE = re.compile("è[aeiouyáéíóúýìù]|ñ(?![aeiouáéíóú])", re.I)
"""Letters where languages of the west have none, and others have a letter of the same byte, `č` or `ń`."""
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
    text, letters = _decoded(data, "cp1252")
    if not letters and not _BETWEEN.search(text):
        return "cp1252"  # quotation marks and signs
    is_western = _is_western(text, set("".join(letters).lower()))
    best, least, found, is_tied = "", 1.0, "", False
    for coding, alphabets in _CODINGS.items():
        text, letters = _decoded(data, coding)
        share = _others(text, letters, alphabets)
        if coding == "cp1252" and share == 0 and (is_western or not _is_dense(text, letters)):
            return coding
        is_other = share == least and text != found
        is_denser = is_other and best == "cp1252" and alphabets is not _WESTERN
        if share <= MAX_OTHERS and (share < least or (is_denser and _is_dense(text, letters))):
            best, least, found, is_tied = coding, share, text, False
        elif is_other and best == "cp1255" and coding == "cp1251" and _is_russian(text):
            best, found = coding, text
        elif is_other and alphabets is _CYRILLIC is _CODINGS.get(best):
            is_tied = True  # a text without small letters, or of those alone
    return "" if is_tied else best or _of_several(data)


def _is_russian(text: str) -> bool:
    """Whether small letters, whose bytes are Hebrew too, are by their number those of Russian.

    The first ones are frequent there and rare in Hebrew, the second ones the other way round.
    """
    return sum(map(text.count, "авиностук")) > 2 * sum(map(text.count, "бдймфцшщъ"))


def _is_western(text: str, letters: set[str]) -> bool:
    """Whether a text has those letters of the west that others have not, or has them in other places."""
    return letters <= _NORTHERN or (bool(letters & {"è", "ñ"}) and not _OUT_OF_PLACE.search(text))


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
