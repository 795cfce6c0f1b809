"""Evidence: whether the quotes that bear out an answer stand in the context, and where.

In: the context, a function that reads a document's text, and the model's quotes. Out: each quote with its status and
place. Nothing here asks a model. A document is read where a quote names it, or where no text holds the quote.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePath

from . import documents, quotes
from .quotes import Hit, level
from .types import Evidence, EvidenceStatus

MAX_ITEMS = 200
"""Most quotes of an answer."""
MAX_QUOTE_CHARS = 4_000
MAX_DOCUMENTS = 50
"""Documents that are read for quotes that name none of them."""
MIN_PART_CHARS = 12
"""Levelled characters of the shortest part that counts as one."""
LEAST_RATIO = 0.75
"""Likeness from which on a passage is the quote, changed."""
MIN_CHUNK_CHARS = 8
MAX_CHUNKS = 16
MAX_PASSAGES = 3
"""Chunks by which a changed passage is looked for: their levelled characters, number, and hits that are compared."""
MAX_COMPARED = 2_000_000
"""Words, and pairs of equal ones, that are compared for all changed quotes of an answer: about a second. A row of zeros
has as many in a single passage."""
READ_CHARS = 4 << 20

Read = Callable[[PurePath], str]
Item = str | Mapping[str, object]

_ELLIPSIS = re.compile(r"\[\s*(?:\.{3}|\u2026)\s*\]|\(\s*(?:\.{3}|\u2026)\s*\)|\.{3,}|\u2026")
_EDGES = " \n\t.,;:!?\"'"
_SENTENCE = re.compile(r"(?<=[.;:!?\n])\s+")
_WORD = re.compile(r"\w+|[^\w\s]")
_MARK = re.compile(r'^\[(?:(page|slide) (\d+)|sheet "(.*)")\](?: \[hidden\])?$', re.MULTILINE)


def items_of(given: object) -> list[Evidence]:
    """The quotes in a model's `evidence`, none of them checked.

    Raises:
        TypeError: an item is no quote; the message says which, and the forms that are.

    >>> items_of(["as is", {"quote": "x", "source": "a.txt"}])[1].source
    'a.txt'
    """
    listed = [given] if isinstance(given, str | Mapping) else given
    if listed is None:
        return []
    if not isinstance(listed, Iterable):
        raise TypeError(f"evidence must be a list of quotes, not {type(listed).__name__}.")
    items = [_item(item, number) for number, item in enumerate(listed, start=1)]
    if len(items) > MAX_ITEMS:
        raise TypeError(f"evidence has {len(items):,} quotes; the most is {MAX_ITEMS}. Keep the best.")
    return items


def _item(item: object, number: int) -> Evidence:
    if isinstance(item, Evidence):
        return item
    quote = item.get("quote") if isinstance(item, Mapping) else item
    source = item.get("source") if isinstance(item, Mapping) else None
    if not isinstance(quote, str) or not level(quote):
        raise TypeError(f'evidence {number} must be a quote, or {{"quote": ..., "source": ...}}, not {item!r:.80}.')
    if len(quote) > MAX_QUOTE_CHARS:
        most = f"{len(quote):,} of {MAX_QUOTE_CHARS:,} characters"
        raise TypeError(f"evidence {number} is too long, {most}: quote the sentence that matters.")
    return Evidence(str.__str__(quote), None if source is None else _source_name(source))


def _source_name(source: object) -> str:
    """A source as model code names it: a key of the context, a path, or the number of an item."""
    return f"[{source}]" if isinstance(source, int) else str(source)


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the context under its name. `has_places`: it is a document's, with marks of pages and sheets."""

    name: str
    pieces: Callable[[], Iterable[str]]
    has_places: bool = False


def checked(
    items: Sequence[Evidence], context: object, *, name: str = "context", read: Read | None = None
) -> list[Evidence]:
    """`items` with their status and place.

    Args:
        items: quotes; those that were checked before are checked anew.
        context: the context of the run.
        name: name of a context that is one text.
        read: gives the text of a document; without it documents hold no quote.

    >>> checked([Evidence("to be  or")], "To live: to be\\nor not")[0].status
    'found'
    """
    if not items:
        return []
    sources = list(_sources(context, name, None if read is None else cache(read)))
    found: list[Evidence | None] = [None] * len(items)
    for texts in (
        [source for source in sources if not source.has_places or _is_named(source, items)],
        [source for source in sources if source.has_places and not _is_named(source, items)][:MAX_DOCUMENTS],
    ):
        _find(items, found, texts)
        _find_stitched(items, found, texts)
    _find_changed(items, found, sources[:MAX_DOCUMENTS])
    return [item for item in found if item is not None]


def _is_named(source: Source, items: Iterable[Evidence]) -> bool:
    return any(item.source is not None and _is_same(source.name, item.source) for item in items)


def _is_same(name: str, said: str) -> bool:
    """Whether a model's name for a source means the one called `name`: paths may be cut to their last parts.

    >>> _is_same("docs/a.txt", "/context/docs/a.txt"), _is_same("docs/a.txt", "a.txt"), _is_same("a.txt", "ba.txt")
    (True, True, False)
    """
    one, other = name.strip("/").lower(), re.sub(r"^/?context(?:_\d+)?/", "", said.strip().lower()).strip("/'\"")
    other = re.sub(r"^context(?=\[)", "", other).replace('"', "").replace("'", "")
    bare = one.replace('"', "").replace("'", "")
    return bare == other or f"[{bare}]" == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def _find(items: Sequence[Evidence], found: list[Evidence | None], sources: Sequence[Source]) -> None:
    """Look in each source for the quotes that are not found yet; one that a quote names counts before the others."""
    for source in sources:
        left = [
            index
            for index, item in enumerate(items)
            if found[index] is None or (found[index].status == "elsewhere" and _said(item, source))  # type: ignore[union-attr]
        ]
        if not left:
            return
        text = _Placed(source)
        hits = quotes.occurrences([items[index].quote for index in left], text.pieces())
        for index, [*places] in zip(left, hits, strict=True):
            if places:
                item = items[index]
                status: EvidenceStatus = "found" if item.source is None or _said(item, source) else "elsewhere"
                found[index] = text.at(replace(item, status=status), places[0])


def _said(item: Evidence, source: Source) -> bool:
    return item.source is not None and _is_same(source.name, item.source)


def _find_stitched(items: Sequence[Evidence], found: list[Evidence | None], sources: Sequence[Source]) -> None:
    """Look for quotes whose parts stand apart in one source, in any order."""
    parts = {index: _parts(item.quote) for index, item in enumerate(items) if found[index] is None}
    parts = {index: own for index, own in parts.items() if len(own) > 1}
    if not parts:
        return
    flat = [part for own in parts.values() for part in own]
    for source in sources:
        text = _Placed(source)
        hits = iter(quotes.occurrences(flat, text.pieces()))
        for index, own in parts.items():
            places = [next(hits) for _ in own]
            if found[index] is None and all(places):
                found[index] = _stitched(items[index], [place[0] for place in places], text)


def _parts(quote: str) -> list[str]:
    """Parts of a quote: at its ellipses, or else its sentences."""
    for cut in (_ELLIPSIS, _SENTENCE):
        parts = [part.strip(_EDGES) for part in cut.split(quote)]
        parts = [part for part in parts if len(level(part)) >= MIN_PART_CHARS]
        if len(parts) > 1:
            return parts
    return []


def _stitched(item: Evidence, places: Sequence[Hit], text: _Placed) -> Evidence:
    where = ", ".join(text.place(hit) for hit in places)
    first = text.at(replace(item, status="stitched"), places[0])
    return replace(first, difference=f"its {len(places)} parts stand apart: {where}")


def _find_changed(items: Sequence[Evidence], found: list[Evidence | None], sources: Sequence[Source]) -> None:
    """Look for the passage most like each quote that is not found; what is like none is missing."""
    chunks = {index: _chunks(item.quote) for index, item in enumerate(items) if found[index] is None}
    best = dict.fromkeys(chunks, LEAST_RATIO)
    flat = [chunk for own in chunks.values() for chunk in own]
    around = 2 * max((len(items[index].quote) for index in chunks), default=0) + 40
    left = MAX_COMPARED
    for source in sources if flat else ():
        text = _Placed(source)
        hits = iter(quotes.occurrences(flat, text.pieces(), most=MAX_PASSAGES, around=around))
        for index, own in chunks.items():
            item = items[index]
            for hit in [hit for _ in own for hit in next(hits)]:
                if left <= 0:
                    break
                words, pairs = _compared(item.quote, hit)
                is_too_much = pairs > left
                left -= words if is_too_much else words + pairs
                if is_too_much:
                    continue
                passage, offset, ratio = _passage(item.quote, hit)
                if ratio > best[index]:
                    best[index] = ratio
                    placed = text.at(replace(item, status="changed"), _moved(hit, offset, passage))
                    found[index] = replace(placed, difference=_difference(item.quote, passage))
    for index in chunks:
        found[index] = found[index] or replace(items[index], status="missing")


def _chunks(quote: str) -> list[str]:
    """Pieces of a quote, some of which a changed passage still holds."""
    words = quote.split()
    size = max(2, min(6, len(words) // 4))
    step = max(1, size // 2, len(words) // MAX_CHUNKS)
    chunks = [" ".join(words[at : at + size]) for at in range(0, max(1, len(words) - size + 1), step)]
    return [chunk for chunk in chunks if len(level(chunk)) >= MIN_CHUNK_CHARS]


def _compared(quote: str, hit: Hit) -> tuple[int, int]:
    """Words around a hit, and pairs of equal ones that a comparison of them with a quote has to look at."""
    there, wanted = Counter(_words(hit.around)), Counter(_words(quote))
    return there.total(), sum(there[word] * times for word, times in wanted.items())


def _passage(quote: str, hit: Hit) -> tuple[str, int, float]:
    """The part of the text around a hit that is most like the quote, its offset in that text, and the likeness."""
    spans = [match.span() for match in _WORD.finditer(hit.around)]
    there = [hit.around[start:end].casefold() for start, end in spans]
    wanted = _words(quote)
    matcher = difflib.SequenceMatcher(None, there, wanted, autojunk=False)
    block = matcher.find_longest_match()
    if not block.size:
        return "", 0, 0.0
    first = max(0, block.a - block.b)
    last = min(len(spans), block.a + block.size + len(wanted) - block.b - block.size)
    ratio = difflib.SequenceMatcher(None, there[first:last], wanted, autojunk=False).ratio()
    return hit.around[spans[first][0] : spans[last - 1][1]], spans[first][0], ratio


def _moved(hit: Hit, offset: int, passage: str) -> Hit:
    """The place of a passage in the text around a hit."""
    before = hit.around[:offset]
    return Hit(
        start=hit.around_start + offset,
        end=hit.around_start + offset + len(passage),
        byte_start=hit.around_byte + len(before.encode("utf-8", "surrogatepass")),
        byte_end=hit.around_byte + len((before + passage).encode("utf-8", "surrogatepass")),
        line=hit.around_line + before.count("\n"),
    )


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _difference(quote: str, passage: str) -> str:
    """The changed words, the source's after the quote's.

    >>> _difference("signed by Ada in 1843", "signed by Ada in 1842")
    '"1843" is "1842" in the source'
    """
    mine, theirs = _WORD.findall(quote), _WORD.findall(passage)
    changes = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if tag != "equal":
            one, other = " ".join(mine[a:b])[:80], " ".join(theirs[c:d])[:80]
            changes.append(
                f'"{one}" is "{other}" in the source'
                if one and other
                else f'"{one}" is not in the source'
                if one
                else f'"{other}" is left out'
            )
    return "; ".join(changes[:4]) + ("; ..." if len(changes) > 4 else "")


# --- Sources --------------------------------------------------------------------------------------------------------


def _sources(context: object, name: str, read: Read | None) -> Iterator[Source]:
    """The texts of a context, each under its name."""
    if isinstance(context, str | bytes | bytearray | PurePath):
        yield _source(name, context, read)
    elif isinstance(context, Mapping):
        for key, value in context.items():
            yield _source(_source_name(key) if isinstance(key, int) else str(key), value, read)
    elif isinstance(context, list | tuple):
        for index, value in enumerate(context):
            yield _source(f"[{index}]", value, read)


def _source(name: str, value: object, read: Read | None) -> Source:
    if isinstance(value, str):
        return Source(name, lambda: [value])
    if isinstance(value, PurePath):
        return _of_file(name, value, read)
    if isinstance(value, bytes | bytearray):
        data = bytes(value)
        if documents.is_text(data[:4_096]):
            return Source(name, lambda: [data.decode("utf-8", "replace")])
        return Source(name, lambda: _read(read, data), has_places=True)
    return Source(name, lambda: ["\n".join(_leaves(value))])


def text_of_source(value: object, read: Callable[..., str]) -> str:
    """The text of one source, in which the places of quotes count characters.

    >>> text_of_source([{"a": "x"}, 7], str)
    'x\\n7'
    """
    return "".join(_source("", value, read).pieces())


def _of_file(name: str, path: PurePath, read: Read | None) -> Source:
    try:
        with open(path, "rb") as file:
            head = file.read(4_096)
    except OSError:
        return Source(name, list)
    if documents.is_text(head):
        return Source(name, lambda: _pieces_of(path))
    return Source(name, lambda: _read(read, path), has_places=True)


def _pieces_of(path: PurePath) -> Iterator[str]:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        while piece := file.read(READ_CHARS):
            yield piece


def _read(read: Callable[..., str] | None, file: object) -> list[str]:
    """The text of a document, none where it cannot be read: the model was shown the reason when it read it."""
    if read is None:
        return []
    try:
        return [read(file)]
    except Exception:  # noqa: BLE001 - a reader meets files of any kind of damage
        return []


def _leaves(value: object) -> Iterator[str]:
    """The texts and numbers in a JSON value, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield str(value)


class _Placed:
    """A source's text, and the pages, slides and sheets that its marks divide it into."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._marks: list[tuple[int, re.Match[str]]] = []

    def pieces(self) -> Iterable[str]:
        if not self._source.has_places:
            return self._source.pieces()
        whole = "".join(self._source.pieces())
        self._marks = [(match.start(), match) for match in _MARK.finditer(whole)]
        return [_MARK.sub(lambda match: " " * len(match[0]), whole)]

    def at(self, item: Evidence, hit: Hit) -> Evidence:
        """`item` at the place of `hit`."""
        page, sheet = self._place(hit)
        return replace(
            item,
            source=self._source.name,
            start=hit.start,
            end=hit.end,
            byte_start=None if self._source.has_places else hit.byte_start,
            byte_end=None if self._source.has_places else hit.byte_end,
            line=hit.line,
            page=page,
            sheet=sheet,
        )

    def place(self, hit: Hit) -> str:
        page, sheet = self._place(hit)
        return f"page {page}" if page else f'sheet "{sheet}"' if sheet else f"line {hit.line:,}"

    def _place(self, hit: Hit) -> tuple[int | None, str | None]:
        index = bisect_right(self._marks, hit.start, key=lambda mark: mark[0]) - 1
        if index < 0:
            return None, None
        match = self._marks[index][1]
        return (int(match[2]), None) if match[2] else (None, match[3])
