"""Quotes: where quotes stand in a large text, with white space, hyphens and typographic marks levelled.

In: quotes, and a text in pieces, so that a file of any size is read once. Out: the first hits of each quote with their
places: characters, bytes and line. Linear in the text, whatever the number of quotes: the text is sampled, and compared
where a sample is one of the quotes'.

>>> [hit] = occurrences(["the co-operation of all"], ["Without the cooper-\\nation of  all, no"])[0]
>>> (hit.start, hit.end, hit.line)
(8, 33, 1)
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count

WINDOW_CHARS = 32 << 10
"""Characters of the text that are looked at together; more where a quote is long."""
GRAM_CHARS = 8
SHORT_CHARS = 4_000
"""Characters of a text in which each quote is searched for as a whole: that takes less than its samples."""
NEARBY_CHARS = 64
MAX_WRONG = 2_000
"""Samples of a quote that led nowhere, after which it is searched for as a whole: it begins like much of the text."""

_MARKS = (
    *((mark, '"') for mark in "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033"),
    *((mark, "'") for mark in "\u2018\u2019\u201a\u201b\u2032\u00b4"),
    *((mark, "-") for mark in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"),
    *((mark, "") for mark in "\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe"),
    ("\u2026", "..."),
)
"""Typographic marks, and the plain ones that they are levelled to."""
_BLANKS = bytes(code for code in range(128) if chr(code).isspace())
_HYPHEN = re.compile(r"-(?<=[^\W\d_]-)(?=[^\W\d_])")
"""A hyphen between letters: of a compound, or of a word that was divided at a line's end. A minus stays."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place of a quote: [start, end) in characters and in bytes of UTF-8, and the line from 1.

    `around` is the text around it, which begins at `around_start`, `around_byte` and `around_line`.
    """

    start: int
    end: int
    byte_start: int
    byte_end: int
    line: int
    around: str = ""
    around_start: int = 0
    around_byte: int = 0
    around_line: int = 0


def level(text: str) -> str:
    """`text` without white space, division of words and typographic marks; case stays.

    >>> level("\\u201cNo\\u201d \\u2013  co-\\noperation")
    '"No"-cooperation'
    """
    if text.isascii():
        squeezed = text.encode("ascii").translate(None, _BLANKS).decode("ascii")
    else:
        squeezed = "".join(text.split())
        for mark, plain in _MARKS:
            if mark in squeezed:
                squeezed = squeezed.replace(mark, plain)
        if not unicodedata.is_normalized("NFKC", squeezed):
            squeezed = "".join(unicodedata.normalize("NFKC", squeezed).split())
    return _HYPHEN.sub("", squeezed) if "-" in squeezed else squeezed


def needle(quote: str) -> str:
    """`quote` levelled, without hyphens at its ends, where the text may have a letter beside them; a minus stays."""
    levelled = level(quote).rstrip("-")
    bare = levelled.lstrip("-")
    return bare if bare[:1].isalpha() else levelled


def occurrences(quotes: Sequence[str], pieces: Iterable[str], *, most: int = 1, around: int = 0) -> list[list[Hit]]:
    """The first `most` hits of each quote.

    Args:
        quotes: the texts to find; one without any letter or mark is found nowhere.
        pieces: the text, in any pieces.
        most: hits of a quote after which it is looked for no more.
        around: characters beside a hit that are kept with it.
    """
    is_short = isinstance(pieces, Sequence) and sum(map(len, pieces)) < SHORT_CHARS
    search = _Search([needle(quote) for quote in quotes], most, around, is_short=is_short)
    for window in _windows(pieces, search.longest):
        search.look(window)
        if search.is_over():
            break
    return search.hits


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of the text, with its position: characters, bytes and line breaks before it."""

    text: str
    start: int
    bytes: int
    lines: int


def _windows(pieces: Iterable[str], longest: int) -> Iterator[_Window]:
    """Windows over the text; each repeats the end of the one before, so that a quote is whole in one of them."""
    size = max(WINDOW_CHARS, 8 * longest)
    text, start, bytes_, lines = "", 0, 0, 0
    for part in _cut(pieces, size):
        text += part
        yield _Window(text, start, bytes_, lines)
        kept = len(_tail(text, longest))
        gone = text[: len(text) - kept]
        start += len(gone)
        bytes_ += _bytes(gone)
        lines += gone.count("\n")
        text = text[len(text) - kept :]


def _cut(pieces: Iterable[str], size: int) -> Iterator[str]:
    for piece in pieces:
        for at in range(0, len(piece), size):
            yield piece[at : at + size]


def _tail(text: str, longest: int) -> str:
    """The end of `text` that may hold the beginning of a quote."""
    chars = 2 * longest + 100
    while chars < len(text) and len(level(text[-chars:])) < longest:
        chars *= 2
    return text[-chars:]


class _Search:
    """Looks for levelled quotes in one window after another."""

    def __init__(self, quotes: Sequence[str], most: int, around: int, *, is_short: bool) -> None:
        self.hits: list[list[Hit]] = [[] for _ in quotes]
        self.longest = max(map(len, quotes), default=0)
        self._quotes = quotes
        self._most = most
        self._around = around
        self._left = {index for index, quote in enumerate(quotes) if quote}
        self._wrong = [0] * len(quotes)
        self._whole = {index for index in self._left if is_short or len(quotes[index]) < GRAM_CHARS + 4}
        sampled = sorted(self._left - self._whole)
        self._stride = min((_stride(len(quotes[index])) for index in sampled), default=0)
        self._grams = _grams(quotes, self._stride, sampled)
        self._codes = frozenset(map(_code, filter(str.isascii, self._grams)))

    def is_over(self) -> bool:
        return not self._left

    def look(self, window: _Window) -> None:
        levelled = level(window.text)
        if self._grams:
            self._sample(window, levelled)
        for index in list(self._whole & self._left):
            at = levelled.find(self._quotes[index])
            while at >= 0 and index in self._left:
                self._take(index, window, levelled, at)
                at = levelled.find(self._quotes[index], at + 1)

    def _sample(self, window: _Window, levelled: str) -> None:
        size, stride, grams = GRAM_CHARS, self._stride, self._grams
        if levelled.isascii():
            places = _places(levelled.encode("ascii"), stride, self._codes)
        else:
            places = [at for at in range(0, len(levelled) - size + 1, stride) if levelled[at : at + size] in grams]
        for at in places:
            for index, offset in grams.get(levelled[at : at + size], ()):
                if index not in self._left or index in self._whole:
                    continue
                if at >= offset and levelled.startswith(self._quotes[index], at - offset):
                    self._take(index, window, levelled, at - offset)
                else:
                    self._wrong[index] += 1
                    if self._wrong[index] > MAX_WRONG:
                        self._search_whole(index)

    def _search_whole(self, index: int) -> None:
        """Look for a quote as a whole from now on: its samples lead nowhere."""
        self._whole.add(index)
        grams = self._grams
        for gram in {self._quotes[index][at : at + GRAM_CHARS] for at in range(len(self._quotes[index]))}:
            if gram in grams:
                grams[gram] = [entry for entry in grams[gram] if entry[0] != index]

    def _take(self, index: int, window: _Window, levelled: str, at: int) -> None:
        hits = self.hits[index]
        hit = _hit(window, self._quotes[index], levelled, at, self._around)
        if any(abs(other.start - hit.start) < 2 for other in hits):
            return
        hits.append(hit)
        if len(hits) >= self._most:
            self._left.discard(index)


def _stride(chars: int) -> int:
    """Stride of the samples that find a quote of so many characters; the shortest one's is that of all, in one pass."""
    return 48 if chars >= 64 else 16 if chars >= 24 else 8 if chars >= 16 else 4


def _code(gram: str) -> int:
    """The bytes of a gram of ASCII as one number, in which they are compared eight at a time."""
    return int.from_bytes(gram.encode("ascii"), sys.byteorder)


def _places(data: bytes, stride: int, codes: frozenset[int]) -> list[int]:
    """Positions, multiples of `stride`, at which `data` has one of the grams.

    >>> _places(b"the rain in Spain is plain...", 4, frozenset({_code(" rain in"), _code("ain in S")}))
    []
    >>> _places(b"the rain in Spain is plain...", 4, frozenset({_code("rain in ")}))
    [4]
    """
    size = GRAM_CHARS
    places: list[int] = []
    for shift in range(0, size, min(stride, size)):
        whole = memoryview(data)[shift:]
        samples = whole[: len(whole) // size * size].cast("Q")[:: max(1, stride // size)].tolist()
        places += compress(count(shift, max(stride, size)), map(codes.__contains__, samples))
    return sorted(places)


def _grams(quotes: Sequence[str], stride: int, indices: Iterable[int]) -> dict[str, list[tuple[int, int]]]:
    """Gram -> quotes and offsets: of each quote as many in a row as the stride, so that one of them is sampled."""
    grams: dict[str, list[tuple[int, int]]] = {}
    for index in indices:
        quote = quotes[index]
        last = len(quote) - GRAM_CHARS - stride + 1
        begin = max(range(0, last + 1, 8), key=lambda at: len(set(quote[at : at + stride + GRAM_CHARS - 1])))
        for offset in range(begin, begin + stride):
            grams.setdefault(quote[offset : offset + GRAM_CHARS], []).append((index, offset))
    return grams


def _hit(window: _Window, quote: str, levelled: str, at: int, around: int) -> Hit:
    """The place of the levelled characters [at, at + len(quote)) in the text itself."""
    text = window.text
    start, end = _bounds(text, quote, at)
    before = text[:start]
    byte_start = window.bytes + _bytes(before)
    first = max(0, start - around)
    return Hit(
        start=window.start + start,
        end=window.start + end,
        byte_start=byte_start,
        byte_end=byte_start + _bytes(text[start:end]),
        line=window.lines + before.count("\n") + 1,
        around=text[first : end + around] if around else "",
        around_start=window.start + first,
        around_byte=byte_start - _bytes(text[first:start]),
        around_line=window.lines + text.count("\n", 0, first) + 1,
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _bounds(text: str, quote: str, at: int) -> tuple[int, int]:
    """Start and end in `text`; a division of words at a cut may shift them by a few characters, which is put right."""
    start, end = _unlevelled(text, at), _unlevelled(text, at + len(quote) - 1) + 1
    for shift in (0, -1, 1, -2, 2, -3, 3):
        for longer in (0, 1, -1, 2, -2, 3, -3):
            if needle(text[max(0, start + shift) : end + longer]) == quote:
                return _trimmed(text, max(0, start + shift), end + longer)
    return start, end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not level(text[start]):
        start += 1
    while end > start and not level(text[end - 1]):
        end -= 1
    return start, end


def _unlevelled(text: str, position: int) -> int:
    """Index in `text` of the character that became the levelled one at `position`, by halving."""
    low, high, before = 0, len(text), 0
    while high - low > 1:
        middle = _parted(text, (low + high) // 2, high)
        chars = len(level(text[low:middle]))
        if before + chars > position:
            high = middle
        else:
            low, before = middle, before + chars
    return low


def _parted(text: str, middle: int, high: int) -> int:
    """A position from `middle` on that parts nothing that is levelled together: no letter and its marks, no hyphen and
    its words; `middle` where there is none nearby.

    >>> _parted("cafe\u0301 and so", 4, 12), _parted("co-operation", 3, 12)
    (7, 4)
    """
    for at in range(middle, min(high, middle + NEARBY_CHARS)):
        if text[at - 1].isalnum() and text[at].isalnum() and not "\u1100" <= text[at] <= "\u11ff":
            return at
    return middle
